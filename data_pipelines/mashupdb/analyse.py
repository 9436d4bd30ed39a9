"""Tempo, beats, downbeats and key of a song: estimated on its mix, overruled by what is known."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from data_pipelines.sources.song import Known
from mashnet.audio.annotate import Annotation, annotate, key_in_tune
from mashnet.files import content_id, write_json
from mashnet.music.beats import bar_offset, grid_phase, regular_beats, tempo_of
from mashnet.music.key_names import parse_key
from mashnet.music.keys import Key
from mashnet.music.tunings import Tuning
from mashnet.storage.contained_paths import place
from mashnet.storage.regular_files import read_json

# Part of the cache's keys: another number makes all songs be analysed again.
ANALYSIS_VERSION = 1
_FRAME_S = 0.01
_ANCHOR_TOLERANCE = 0.06  # of a beat: bar starts are given to about 3 ms


def analysis_id(mix: np.ndarray, sample_rate: int) -> str:
    """Return the content hash under which the analysis of a mix, (channels, samples), is kept."""
    quantised = np.round(np.clip(mix, -1, 1) * 32767).astype("<i2")
    return content_id("analysis", ANALYSIS_VERSION, sample_rate, quantised.tobytes())


def cached_annotation(cache: Path, mix: np.ndarray, sample_rate: int) -> Annotation:
    """Return the estimates for a mix, from `cache` if it was analysed before.

    Args:
        cache: folder of analyses, one JSON file per mix.
        mix: shape (channels, samples).
        sample_rate: in Hz.
    """
    path = place(cache, f"{analysis_id(mix, sample_rate)}.json")
    try:
        return _from_json(read_json(path))
    except (OSError, ValueError, KeyError, TypeError):
        pass  # absent, or not what this version writes: analysed anew
    found = annotate(mix, sample_rate)
    write_json(path, _to_json(found))
    return found


def with_key_in_tune(
    estimated: Annotation, mix: np.ndarray, sample_rate: int, tuning: Tuning | None
) -> Annotation:
    """Return estimates with the key of a mix far off A440 read relative to its tuning."""
    found = key_in_tune(mix, sample_rate, tuning)
    if found is None:
        return estimated
    key, confidence = found
    return dataclasses.replace(estimated, key=key, key_confidence=confidence)


def with_known(estimated: Annotation, known: Known, duration_s: float) -> Annotation:
    """Let exact annotations win over estimates.

    Explicit beats, downbeats and keys win entirely. A known tempo makes the beats a regular
    grid at that tempo, whose phase comes from bar starts if they are whole beats apart and else
    from the estimated beats, at whatever metrical level these were tracked.
    """
    beats, downbeats = estimated.beats, estimated.downbeats
    tempo_bpm, beats_per_bar = estimated.tempo_bpm, estimated.beats_per_bar
    if known.tempo_bpm is not None and known.beats is None:
        tempo_bpm = known.tempo_bpm
        beats, downbeats, beats_per_bar = _grid(estimated, known, duration_s)
    if known.beats is not None:
        beats = tuple(beat for beat in known.beats if beat < duration_s)
        tempo_bpm = known.tempo_bpm or tempo_of(beats)
        beats_per_bar = known.beats_per_bar or beats_per_bar or 4
        downbeats = _every_bar(beats, _snapped(beats, estimated.downbeats), beats_per_bar)
    if known.downbeats is not None:
        # Downbeats are a subset of the beats, whoever wrote them down.
        downbeats = _snapped(beats, tuple(time for time in known.downbeats if time < duration_s))
        beats_per_bar = known.beats_per_bar or _bar_length(beats, downbeats) or beats_per_bar
    return Annotation(
        tempo_bpm=tempo_bpm,
        beats=beats,
        downbeats=downbeats,
        beats_per_bar=beats_per_bar if beats else 0,
        key=parse_key(known.key) if known.key else estimated.key,
        key_confidence=1.0 if known.key else estimated.key_confidence,
    )


def _grid(
    estimated: Annotation, known: Known, duration_s: float
) -> tuple[tuple[float, ...], tuple[float, ...], int]:
    """Return beats, downbeats and beats per bar of a regular grid at the known tempo."""
    assert known.tempo_bpm is not None
    period_s = 60.0 / known.tempo_bpm
    beats_per_bar = known.beats_per_bar or estimated.beats_per_bar or 4
    anchors = _whole_beats_apart(known.bar_starts, period_s)
    if anchors:
        phase_s = grid_phase(period_s, known.bar_starts)
        if known.beats_per_bar is None:
            beats_per_bar = _dividing(anchors, beats_per_bar)
    else:
        phase_s = grid_phase(period_s, estimated.beats, estimated.downbeats)
    if phase_s is None:
        return (), (), 0
    if period_s - phase_s < _FRAME_S:
        phase_s -= period_s  # a beat a hair before the start is heard at the start
    grid = np.maximum(0.0, regular_beats(period_s, phase_s, duration_s))
    beats = tuple(round(float(beat), 4) for beat in grid)
    votes = known.bar_starts if anchors and beats_per_bar else estimated.downbeats
    return beats, _every_bar(beats, votes, beats_per_bar), beats_per_bar


def _whole_beats_apart(bar_starts: tuple[float, ...], period_s: float) -> list[int]:
    """Return each bar start's distance from the first in beats; empty unless all are whole."""
    if not bar_starts:
        return []
    apart = (np.asarray(bar_starts) - bar_starts[0]) / period_s
    if np.abs(apart - np.round(apart)).max() > _ANCHOR_TOLERANCE:
        return []
    return [round(float(beats)) for beats in apart]


def _dividing(anchors: list[int], preferred: int) -> int:
    """Return the bar length that the bar starts agree with: the preferred one, 4, 3, or 2."""
    for length in (preferred, 4, 3, 2):
        if all(anchor % length == 0 for anchor in anchors):
            return length
    return preferred


def _every_bar(
    beats: tuple[float, ...], votes: tuple[float, ...], beats_per_bar: int
) -> tuple[float, ...]:
    if not beats or not votes or beats_per_bar < 1:
        return ()
    return beats[bar_offset(beats, votes, beats_per_bar) :: beats_per_bar]


def _snapped(beats: tuple[float, ...], times: tuple[float, ...]) -> tuple[float, ...]:
    """Return the beats nearest to some times."""
    if not beats:
        return ()
    grid = np.asarray(beats)
    return tuple(sorted({beats[int(np.abs(grid - time).argmin())] for time in times}))


def _bar_length(beats: tuple[float, ...], downbeats: tuple[float, ...]) -> int:
    """Return the commonest number of beats between downbeats; 0 for fewer than two."""
    positions = [beats.index(downbeat) for downbeat in downbeats]
    lengths = np.diff(positions)
    return int(np.bincount(lengths).argmax()) if lengths.size else 0


def _to_json(annotation: Annotation) -> dict[str, Any]:
    return dataclasses.asdict(annotation)


def _from_json(value: dict[str, Any]) -> Annotation:
    return Annotation(
        tempo_bpm=float(value["tempo_bpm"]),
        beats=tuple(value["beats"]),
        downbeats=tuple(value["downbeats"]),
        beats_per_bar=int(value["beats_per_bar"]),
        key=Key(int(value["key"]["tonic"]), str(value["key"]["mode"])),
        key_confidence=float(value["key_confidence"]),
    )
