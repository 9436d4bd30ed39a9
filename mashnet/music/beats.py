"""Beats and tempo: arithmetic on times, no audio.

Conventions: beats are increasing times in seconds; tempo is in beats per minute; 0 bpm means that
there is no tempo (fewer than two beats).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_MAX_LINE_BEATS = 1500  # a robust line looks at all pairs of beats; more than this adds only time
_NEAR_BEAT = 0.08  # of a period: how far from the grid a beat may lie and still be on it


def line_through(beats: Sequence[float]) -> tuple[float, float]:
    """Fit a robust straight line through beats: time of beat i ≈ first + i · period.

    The slope is the median over all pairs of beats (Theil 1950, Sen 1968). The tracker's frames
    (10 ms) quantise every interval, so that the median interval reads 132 bpm as 133.3; pairs
    far apart do not suffer from that, and a few wrong beats do not move the median.

    Args:
        beats: at least two increasing times in seconds.

    Returns:
        The first beat's time on the line and the period, both in seconds.

    Raises:
        ValueError: for fewer than two beats.
    """
    times = np.asarray(beats, dtype=np.float64)
    if len(times) < 2:
        raise ValueError("a line needs two beats")
    index = np.arange(len(times), dtype=np.float64)
    if len(times) > _MAX_LINE_BEATS:
        kept = np.linspace(0, len(times) - 1, _MAX_LINE_BEATS).round().astype(int)
        times, index = times[kept], index[kept]
    later, earlier = np.tril_indices(len(times), -1)
    period = float(np.median((times[later] - times[earlier]) / (index[later] - index[earlier])))
    return float(np.median(times - period * index)), period


def tempo_of(beats: Sequence[float]) -> float:
    """Return the tempo in bpm of a robust line through the beats; 0 for fewer than two."""
    if len(beats) < 2:
        return 0.0
    _, period = line_through(sorted(beats))
    return 60.0 / period if period > 0 else 0.0


def grid_phase(
    period_s: float, beats: Sequence[float], downbeats: Sequence[float] = ()
) -> float | None:
    """Return the time in [0, period) on which a grid of that period agrees best with some beats.

    The beats may be tracked at another metrical level (twice, half, three halves …): only those
    that fall on the grid count, downbeats twice. The phase is the one most of them share.

    Args:
        period_s: the grid's period in seconds.
        beats: times in seconds.
        downbeats: those of them that begin a bar.

    Returns:
        Seconds, or None without beats.
    """
    times = np.concatenate([np.asarray(beats, float), np.asarray(downbeats, float)])
    if times.size == 0:
        return None
    phases = times / period_s % 1.0
    # Signed distance between all pairs of phases, in periods, on the circle.
    apart = (phases[None, :] - phases[:, None] + 0.5) % 1.0 - 0.5
    near = np.abs(apart) < _NEAR_BEAT
    best = int(near.sum(axis=1).argmax())
    return float((phases[best] + np.median(apart[best][near[best]])) % 1.0 * period_s)


def regular_beats(period_s: float, phase_s: float, duration_s: float) -> np.ndarray:
    """Return the grid's times in [0, duration), in seconds."""
    count = max(0, int(np.ceil((duration_s - phase_s) / period_s - 1e-9)))
    return phase_s + period_s * np.arange(count)


def bar_offset(beats: Sequence[float], downbeats: Sequence[float], beats_per_bar: int) -> int:
    """Return the index of the first beat that begins a bar, by the vote of some downbeats.

    Args:
        beats: a regular grid in seconds, not empty.
        downbeats: estimated downbeats in seconds; each votes for the beat nearest to it.
        beats_per_bar: length of a bar.
    """
    grid = np.asarray(beats, float)
    nearest = [int(np.abs(grid - downbeat).argmin()) % beats_per_bar for downbeat in downbeats]
    return int(np.bincount(nearest, minlength=beats_per_bar).argmax())
