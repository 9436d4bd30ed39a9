"""The beats of a song as a grid: without gaps, from before its first sample to after its last.

Conventions: times are in seconds from the start of the clip; a position is the index of a beat in
the grid. Trackers miss beats at both ends and in breaks, put them on frames of 10 ms, and follow
half or twice the tempo: all of that is mended here, so that a plan can count beats.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mashnet.music.beats import line_through

_LEAST_PERIOD_S = 0.1  # beats nearer to each other are one
_NEAR_S = 0.07  # a downbeat is the beat this near to it
_GAP = 1.6  # intervals of this many periods have lost a beat
_STEADY_S = 0.015  # beats this near to a line are the line, seen through frames of 10 ms
_LOCAL_BEATS = 9  # over which the period is taken to be the same


@dataclass(frozen=True)
class Grid:
    """Beats without gaps.

    Attributes:
        times_s: strictly increasing, shape (beats,); the first is at or before 0, the last at or
            after the end of the clip.
        downbeats: which of them begin a bar, shape (beats,).
    """

    times_s: np.ndarray
    downbeats: np.ndarray

    @property
    def period_s(self) -> float:
        """The usual time between two beats."""
        return float(np.median(np.diff(self.times_s)))

    @property
    def beats_per_bar(self) -> int:
        """The usual number of beats between two downbeats; 1 where there are fewer than two."""
        bars = np.diff(np.flatnonzero(self.downbeats))
        return int(np.median(bars)) if bars.size else 1

    @property
    def first_downbeat(self) -> int:
        """Position of the first downbeat inside the clip, else of the first beat inside."""
        inside = self.times_s >= 0
        found = np.flatnonzero(inside & self.downbeats)
        return int(found[0]) if found.size else int(np.flatnonzero(inside)[0])

    def nearest_downbeat(self, time_s: float) -> int:
        """Return the position of the downbeat nearest to a time."""
        positions = np.flatnonzero(self.downbeats)
        return int(positions[np.abs(self.times_s[positions] - time_s).argmin()])

    def position_before(self, time_s: float) -> int:
        """Return the position of the last beat at or before a time; at least 0."""
        return max(0, int(np.searchsorted(self.times_s, time_s + 1e-6, side="right")) - 1)


def grid_of(
    beats_s: Sequence[float],
    downbeats_s: Sequence[float],
    beats_per_bar: int | None,
    duration_s: float,
) -> Grid | None:
    """Make the grid of a clip.

    Args:
        beats_s: as tracked or annotated.
        downbeats_s: likewise; without any, every `beats_per_bar`-th beat from the first one is.
        beats_per_bar: None counts as 4.
        duration_s: of the clip.

    Returns:
        None where there are fewer than two beats.
    """
    times: np.ndarray = np.unique(np.asarray(beats_s, dtype=np.float64))
    times = times[np.isfinite(times)]
    if times.size:
        times = times[np.append(True, np.diff(times) > _LEAST_PERIOD_S)]
    if len(times) < 2:
        return None
    times = _without_gaps(times)
    first_s, period_s = line_through(times.tolist())
    line = first_s + period_s * np.arange(len(times))
    if np.abs(times - line).max() <= _STEADY_S:
        times = line
    bar = beats_per_bar or 4
    marks = np.asarray(downbeats_s, dtype=np.float64)
    downbeats = np.zeros(len(times), bool)
    for mark in marks[np.isfinite(marks)]:
        nearest = int(np.abs(times - mark).argmin())
        downbeats[nearest] |= abs(times[nearest] - mark) < _NEAR_S
    if not downbeats.any():
        downbeats[::bar] = True
    return _to_both_ends(times, downbeats, bar, duration_s)


def at_tempo_of(guest: Grid, base: Grid) -> Grid:
    """Return a guest's grid at the metrical level that is nearest to the base's tempo.

    A guest at twice the base's tempo counts every second beat, one at half of it two for each, so
    that it is never made faster or slower by more than the square root of two.
    """
    while guest.period_s < base.period_s / 2**0.5 and len(guest.times_s) >= 4:
        guest = _every_second(guest)
    while guest.period_s > base.period_s * 2**0.5:
        middles = (guest.times_s[:-1] + guest.times_s[1:]) / 2
        times = np.insert(guest.times_s, np.arange(1, len(guest.times_s)), middles)
        downbeats = np.zeros(len(times), bool)
        downbeats[::2] = guest.downbeats
        guest = Grid(times, downbeats)
    if not guest.downbeats.any():
        marked = np.arange(len(guest.times_s)) == guest.first_downbeat
        guest = replace(guest, downbeats=marked)
    return guest


def _every_second(grid: Grid) -> Grid:
    """Return every second beat, the first downbeat among them, still from end to end."""
    kept = slice(grid.first_downbeat % 2, None, 2)
    times, downbeats = grid.times_s[kept], grid.downbeats[kept]
    if times[0] > grid.times_s[0]:
        times = np.insert(times, 0, times[0] - 2 * grid.period_s)
        downbeats = np.insert(downbeats, 0, False)
    if times[-1] < grid.times_s[-1]:
        times = np.append(times, times[-1] + 2 * grid.period_s)
        downbeats = np.append(downbeats, False)
    return Grid(times, downbeats)


def _without_gaps(times: np.ndarray) -> np.ndarray:
    """Fill in beats where an interval is several times as long as those around it."""
    intervals = np.diff(times)
    half = _LOCAL_BEATS // 2
    filled = [times[:1]]
    for index, interval in enumerate(intervals):
        usual = np.median(intervals[max(0, index - half) : index + half + 1])
        count = max(1, round(interval / usual)) if interval > _GAP * usual else 1
        filled.append(times[index] + interval / count * np.arange(1, count + 1))
    return np.concatenate(filled)


def _to_both_ends(
    times: np.ndarray, downbeats: np.ndarray, beats_per_bar: int, duration_s: float
) -> Grid:
    """Go on with the period and the bars of either end to beyond the clip's ends."""
    intervals = np.diff(times)
    before_s = float(np.median(intervals[:_LOCAL_BEATS]))
    after_s = float(np.median(intervals[-_LOCAL_BEATS:]))
    ahead = max(0, int(np.ceil(times[0] / before_s - 1e-6)))
    behind = max(0, int(np.ceil((duration_s - times[-1]) / after_s - 1e-6)))
    marked = np.flatnonzero(downbeats) + ahead
    positions = np.arange(ahead + len(times) + behind)
    early = (positions < marked[0]) & ((marked[0] - positions) % beats_per_bar == 0)
    late = (positions > marked[-1]) & ((positions - marked[-1]) % beats_per_bar == 0)
    found = np.isin(positions, marked)
    outside = (positions < ahead) | (positions >= ahead + len(times))
    # Beats of the tracker's that it does not call downbeats stay so; bars go on outside only.
    return Grid(
        np.concatenate(
            [
                times[0] - before_s * np.arange(ahead, 0, -1),
                times,
                times[-1] + after_s * np.arange(1, behind + 1),
            ]
        ),
        found | (outside & (early | late)),
    )
