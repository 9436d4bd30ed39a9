"""What hints do to an estimate: a tempo up to rounding, a key that somebody wrote down.

A tempo decides the metrical level alone. Whoever writes 125 has counted beats, or let a program do
so, and rounded; the tracker has the exact times of beats, but may count every second of them or two
for one. So the beats stay where they were heard; they are thinned out or filled in.

A key takes the place of the estimate. It was written by the one who made the music, or by a DJs'
program that heard the whole song; the estimate is a guess of the same kind from what is here. Where
the two differ the rejects say so.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from data_pipelines.sources.song import Known
from mashnet.audio.annotate import Annotation
from mashnet.music.beats import bar_offset
from mashnet.music.key_names import parse_key

KEY_CONFIDENCE = 0.8  # of a key that is a hint: no program is right much more often
_OCTAVES = (1.0, 2.0, 0.5)
_OTHER_LEVELS = (1.5, 2 / 3)
_NEAR = math.log(1.04)  # tempi this near are one level; farther, another level may fit better
_FARTHEST = math.log(1.08)  # beyond it a hint is about other music


def with_hints(
    estimated: Annotation, known: Known, duration_s: float
) -> tuple[Annotation, list[str]]:
    """Return estimates as the hints have them, and what is to be said about it.

    Exact annotations need no hint: where there are some, hints of the same thing are not looked at.
    """
    said: list[str] = []
    found = estimated
    exact = known.tempo_bpm is not None or known.beats is not None
    if known.tempo_hint_bpm is not None and not exact and estimated.tempo_bpm > 0:
        level = level_of(estimated.tempo_bpm, known.tempo_hint_bpm)
        if level is None:
            said.append(
                f"a tempo of {known.tempo_hint_bpm:g} bpm is written down, and no metrical level "
                f"of the {estimated.tempo_bpm:.1f} bpm that were heard; not used"
            )
        else:
            found = at_level(found, level, duration_s)
    if known.key_hint is not None and known.key is None:
        key = parse_key(known.key_hint)
        if key != estimated.key and estimated.key_confidence > 0:
            said.append(
                f"{key} is written down and used, where {estimated.key} was heard "
                f"(confidence {estimated.key_confidence:.2f})"
            )
        confidence = KEY_CONFIDENCE
        if key == estimated.key:
            confidence = max(confidence, estimated.key_confidence)
        found = dataclasses.replace(found, key=key, key_confidence=confidence)
    return found, said


def level_of(tempo_bpm: float, hint_bpm: float) -> float | None:
    """Return what a tempo is to be multiplied by to be nearest to a hint: 1, 2 or 1/2.

    3/2 and 2/3 only where none of these fits and one of those does; None where nothing is near.
    """

    def apart(level: float) -> float:
        return abs(math.log(tempo_bpm * level / hint_bpm))

    level = min(_OCTAVES, key=apart)
    other = min(_OTHER_LEVELS, key=apart)
    if apart(level) > _NEAR and apart(other) <= _NEAR:
        level = other
    return level if apart(level) <= _FARTHEST else None


def at_level(estimated: Annotation, level: float, duration_s: float) -> Annotation:
    """Return an annotation at another metrical level: `level` beats for one.

    Beats that are kept are where they were; those between are interpolated. Bars keep their number
    of beats, and begin where a downbeat was heard.
    """
    if level == 1.0 or len(estimated.beats) < 2:
        return estimated
    times = np.asarray(estimated.beats)
    # In beats that were heard, counted from the first downbeat, on which a beat must lie.
    anchor = estimated.beats.index(estimated.downbeats[0]) if estimated.downbeats else 0
    step = 1 / level
    first = math.ceil((-0.5 - anchor) / step + 1e-9)
    last = math.floor((len(times) - 0.5 - anchor) / step - 1e-9)
    places = anchor + step * np.arange(first, last + 1)
    heard = np.arange(len(times))
    beats_s = np.interp(places, heard, times)
    # Half a beat before the first and behind the last is beyond what was heard.
    before, after = places < 0, places > heard[-1]
    beats_s[before] = times[0] + places[before] * (times[1] - times[0])
    beats_s[after] = times[-1] + (places[after] - heard[-1]) * (times[-1] - times[-2])
    kept = beats_s[(beats_s >= 0) & (beats_s < duration_s)]
    beats = tuple(round(float(time), 4) for time in kept)
    downbeats: tuple[float, ...] = ()
    if estimated.downbeats and beats:
        bar = estimated.beats_per_bar
        downbeats = beats[bar_offset(beats, estimated.downbeats, bar) :: bar]
    return dataclasses.replace(
        estimated, tempo_bpm=estimated.tempo_bpm * level, beats=beats, downbeats=downbeats
    )
