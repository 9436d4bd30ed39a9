"""Beats and tempo: arithmetic on times, no audio.

Conventions: beats are increasing times in seconds; tempo is in beats per minute; 0 bpm means that
there is no tempo (fewer than two beats).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_MAX_LINE_BEATS = 1500  # a robust line looks at all pairs of beats; more than this adds only time


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
    _, period = line_through(beats)
    return 60.0 / period if period > 0 else 0.0
