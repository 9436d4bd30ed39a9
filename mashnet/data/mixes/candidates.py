"""Candidates of a MashupDB, moved to where a query is: its key, its tempo, its first downbeat."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any

from mashnet.audio.stretch import DEFAULT_ENGINE
from mashnet.data.mashupdb import MashupDB
from mashnet.data.mixes.rendering import RenderedPart
from mashnet.data.parts import Group
from mashnet.music.keys import Key, shift_to_fit
from mashnet.music.limits import Limits as Limits
from mashnet.music.tempo_levels import folded
from mashnet.music.tunings import Shift, Tuning, cents_to_fit, shift_with, tuning_of

UNPITCHED_ROLE = "percussion"


@dataclass(frozen=True)
class Target:
    """Where candidates are moved to: what is known of the query."""

    tempo_bpm: float
    first_downbeat_s: float
    key: Key
    duration_s: float
    beats_per_bar: int | None = None
    tuning: Tuning | None = None


@dataclass(frozen=True)
class Candidate:
    """A clip of the library, moved to a target."""

    clip: Mapping[str, Any]
    semitones: int
    tempo_ratio: float  # above 1: the clip is made faster
    group: Group
    tempo_level: float = 1.0  # beats of the query that one of the clip lasts
    cents: float = 0.0  # on top of the semitones


def candidates_for(
    target: Target,
    library: MashupDB,
    roles: tuple[str, ...],
    *,
    limits: Limits,
    among: Container[str] | None = None,
    engine: str = DEFAULT_ENGINE,
    force: bool = False,
) -> list[Candidate]:
    """Return every clip in which the roles sound and that can be moved to the target.

    Args:
        target: where to move them.
        library: where they are.
        roles: what they must bring; all from the same clip.
        limits: how far they may be moved; the key of percussion is no matter.
        among: clip ids that come into question; None: all.
        engine: of `mashnet.audio.stretch`.
        force: pass the engine even where nothing changes, so that its traces tell nothing.
    """
    pitched = any(role != UNPITCHED_ROLE for role in roles)
    found = []
    for clip in library.clips.sort("clip_id").iter_rows(named=True):
        if among is not None and clip["clip_id"] not in among:
            continue
        stems = library.sounding_stems.get(clip["clip_id"], {})
        if not all(role in stems for role in roles) or not clip["downbeats"]:
            continue
        if not clip["tempo_bpm"] or (pitched and clip["key_tonic"] is None):
            continue
        shift = Shift(0, 0.0)
        if pitched:
            cents = cents_to_fit(tuning_of(clip), target.tuning) if limits.tuned else 0.0
            shift = shift_with(
                shift_to_fit(Key(clip["key_tonic"], clip["key_mode"]), target.key), cents
            )
        tempo = folded(
            target.tempo_bpm / clip["tempo_bpm"],
            (target.beats_per_bar, clip["beats_per_bar"]),
            limits.tempo_range,
            limits.levels,
        )
        if abs(shift.semitones) > limits.max_semitones or tempo is None:
            continue
        ratio = tempo.ratio
        group = {
            role: RenderedPart(
                stem_ids=tuple(stem["stem_id"] for stem in stems[role]),
                paths=tuple(library.audio_path(stem["stem_id"]) for stem in stems[role]),
                semitones=0 if role == UNPITCHED_ROLE else shift.in_semitones,
                tempo_ratio=ratio,
                place_s=target.first_downbeat_s - clip["downbeats"][0] / ratio,
                keyframes_s=(),
                duration_s=target.duration_s,
                force=force,
                engine=engine,
                song=library.facts_of(clip["clip_id"]),
            )
            for role in roles
        }
        found.append(Candidate(clip, shift.semitones, ratio, group, tempo.level, shift.cents))
    return found
