"""Candidates of a MashupDB, moved to where a query is: its key, its tempo, its first downbeat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mashnet.audio.annotate import annotate
from mashnet.audio.io import read_audio
from mashnet.audio.stretch import DEFAULT_ENGINE
from mashnet.data.mashupdb import ROLES, MashupDB
from mashnet.data.parts import FilePart, Group
from mashnet.data.rendering import RenderedPart
from mashnet.errors import ConfigError
from mashnet.music.keys import Key, shift_to_fit


@dataclass(frozen=True)
class Target:
    """Where candidates are moved to: what is known of the query."""

    tempo_bpm: float
    first_downbeat_s: float
    key: Key
    duration_s: float


@dataclass(frozen=True)
class Candidate:
    """A clip of the library, moved to a target."""

    clip: Mapping[str, Any]
    semitones: int
    tempo_ratio: float  # above 1: the clip is made faster
    group: Group


def target_of(
    stems: Mapping[str, Path],
    *,
    tempo_bpm: float | None = None,
    key: Key | None = None,
    first_downbeat_s: float | None = None,
) -> Target:
    """Find out where a query is; what is not given is estimated from the sum of its stems.

    Args:
        stems: role → sound file.
        tempo_bpm: if known.
        key: if known.
        first_downbeat_s: if known, from the beginning of the files.

    Raises:
        AudioError: if a file cannot be used.
        ConfigError: if the tempo or a downbeat is neither given nor found.
    """
    waves = [read_audio(path, sample_rate=44100, mono=True)[0][0] for path in stems.values()]
    mix = np.zeros(max(map(len, waves)), np.float32)
    for wave in waves:
        mix[: len(wave)] += wave
    duration_s = len(mix) / 44100
    if tempo_bpm is None or key is None or first_downbeat_s is None:
        found = annotate(mix[None], 44100)
        tempo_bpm = found.tempo_bpm if tempo_bpm is None else tempo_bpm
        key = key or found.key
        if first_downbeat_s is None and found.downbeats:
            first_downbeat_s = found.downbeats[0]
    if not tempo_bpm > 0 or first_downbeat_s is None:
        names = ", ".join(str(path) for path in stems.values())
        raise ConfigError(f"no beat was found in {names}; give tempo_bpm and first_downbeat_s")
    return Target(tempo_bpm, first_downbeat_s, key, duration_s)


def candidates_for(
    target: Target,
    library: MashupDB,
    roles: tuple[str, ...],
    *,
    max_semitones: int,
    tempo_range: tuple[float, float],
    engine: str = DEFAULT_ENGINE,
) -> list[Candidate]:
    """Return every clip that brings the roles and can be moved to the target within the limits.

    Args:
        target: where to move them.
        library: where they are.
        roles: what they must bring; all from the same clip.
        max_semitones: largest shift of pitched roles (percussion is never shifted).
        tempo_range: smallest and largest tempo ratio.
        engine: of `mashnet.audio.stretch`.
    """
    stems: dict[tuple[str, str], list[str]] = {}
    for row in library.stems.sort("stem_id").iter_rows(named=True):
        stems.setdefault((row["clip_id"], row["role"]), []).append(row["stem_id"])
    found = []
    for clip in library.clips.sort("clip_id").iter_rows(named=True):
        complete = all((clip["clip_id"], role) in stems for role in roles)
        if not complete or not clip["downbeats"] or clip["key_tonic"] is None:
            continue
        semitones = shift_to_fit(Key(clip["key_tonic"], clip["key_mode"]), target.key)
        ratio = target.tempo_bpm / clip["tempo_bpm"]
        if abs(semitones) > max_semitones or not tempo_range[0] <= ratio <= tempo_range[1]:
            continue
        group = {
            role: RenderedPart(
                stem_ids=tuple(stems[clip["clip_id"], role]),
                paths=tuple(library.audio_path(s) for s in stems[clip["clip_id"], role]),
                semitones=0 if role == "percussion" else semitones,
                tempo_ratio=ratio,
                place_s=target.first_downbeat_s - clip["downbeats"][0] / ratio,
                keyframes_s=(),
                duration_s=target.duration_s,
                force=False,
                engine=engine,
            )
            for role in roles
        }
        found.append(Candidate(clip=clip, semitones=semitones, tempo_ratio=ratio, group=group))
    return found


def files_of(query: Mapping[str, str | Path]) -> tuple[dict[str, Path], Group, tuple[str, ...]]:
    """Return a query's files, the same as parts, and the roles that it does not bring.

    Raises:
        ConfigError: if it brings no role, all of them, or one that does not exist.
    """
    unknown = sorted(set(query) - set(ROLES))
    missing = tuple(role for role in ROLES if role not in query)
    if unknown or not query or not missing:
        raise ConfigError(
            f"a query brings one or two of the roles {', '.join(ROLES)}; got {sorted(query)}"
        )
    files = {role: Path(path) for role, path in query.items()}
    return files, {role: FilePart(path) for role, path in files.items()}, missing
