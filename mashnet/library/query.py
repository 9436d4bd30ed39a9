"""A query as files: where it is in key, tempo and time, and which roles it brings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mashnet.audio.annotate import annotate, key_in_tune
from mashnet.audio.io import read_audio
from mashnet.audio.tuning import tuning_of_stems
from mashnet.data.mashupdb import ROLES
from mashnet.data.mixes.candidates import UNPITCHED_ROLE, Target
from mashnet.data.parts import FilePart, Group
from mashnet.errors import ConfigError
from mashnet.extras import advice
from mashnet.models.phrases.moves import FASTEST_BPM
from mashnet.music.beats import regular_beats
from mashnet.music.keys import Key
from mashnet.music.song_facts import SongFacts
from mashnet.storage.paths import root_of


def target_of(
    stems: Mapping[str, Path],
    *,
    tempo_bpm: float | None = None,
    key: Key | None = None,
    first_downbeat_s: float | None = None,
) -> tuple[Target, SongFacts]:
    """Find out where a query is; what is not given is estimated from the sum of its stems.

    Args:
        stems: role → sound file.
        tempo_bpm: if known.
        key: if known.
        first_downbeat_s: if known, from the beginning of the files.

    Returns:
        Where candidates are moved to; and the same with beats and bars, for who compares them as
        they lie.

    Raises:
        AudioError: if a file cannot be used.
        ConfigError: if the tempo or a downbeat is neither given nor found, or something is not
            given and what estimates it is not installed.
    """
    read = {role: read_audio(path, sample_rate=44100, mono=True)[0] for role, path in stems.items()}
    mix = np.zeros(max(wave.shape[1] for wave in read.values()), np.float32)
    for wave in read.values():
        mix[: wave.shape[1]] += wave[0]
    pitched = [wave for role, wave in read.items() if role != UNPITCHED_ROLE]
    duration_s = len(mix) / 44100
    tuning = tuning_of_stems(pitched, 44100)
    beats_per_bar: int | None = None
    beats_s: tuple[float, ...] = ()
    downbeats_s: tuple[float, ...] = ()
    if tempo_bpm is None or key is None or first_downbeat_s is None:
        try:
            found = annotate(mix[None], 44100)
        except ModuleNotFoundError as error:
            raise ConfigError(
                "without madmom nothing is estimated: give tempo_bpm, key and first_downbeat_s, "
                f"or get it: {advice('render')}"
            ) from error
        if tempo_bpm is None and first_downbeat_s is None:
            beats_s, downbeats_s = found.beats, found.downbeats
        tempo_bpm = found.tempo_bpm if tempo_bpm is None else tempo_bpm
        in_tune = None if key else key_in_tune(mix[None], 44100, tuning)
        key = key or (in_tune[0] if in_tune else found.key)
        beats_per_bar = found.beats_per_bar or None
        if first_downbeat_s is None and found.downbeats:
            first_downbeat_s = found.downbeats[0]
    known = first_downbeat_s is not None and math.isfinite(first_downbeat_s)
    if not 0 < tempo_bpm <= FASTEST_BPM or not known or first_downbeat_s is None:
        names = ", ".join(str(path) for path in stems.values())
        raise ConfigError(f"no beat was found in {names}; give tempo_bpm and first_downbeat_s")
    target = Target(tempo_bpm, first_downbeat_s, key, duration_s, beats_per_bar, tuning)
    if not downbeats_s:  # somebody knows better than the tracker: a straight grid
        period_s = 60 / tempo_bpm
        grid = regular_beats(period_s, first_downbeat_s % period_s, duration_s)
        first = round((first_downbeat_s - grid[0]) / period_s) if len(grid) else 0
        beats_s = tuple(grid.tolist())
        downbeats_s = beats_s[first % (beats_per_bar or 4) :: beats_per_bar or 4]
    facts = SongFacts(
        name=", ".join(path.name for path in stems.values()),
        duration_s=duration_s,
        beats_s=tuple(beats_s),
        downbeats_s=tuple(downbeats_s),
        beats_per_bar=beats_per_bar,
        key=key,
        tempo_bpm=tempo_bpm,
        tuning=tuning,
    )
    return target, facts


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
    files = {role: root_of(path) for role, path in query.items()}
    return files, {role: FilePart(path) for role, path in files.items()}, missing
