"""The beats of a song as a grid: without gaps, from before its first sample to after its last.

Conventions: times are in seconds from the start of the clip; a position is the index of a beat in
the grid. Trackers miss beats at both ends and in breaks, put them on frames of 10 ms, and follow
half or twice the tempo: all of that is mended here, so that a plan can count beats.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mashnet.music.beats import line_through
from mashnet.music.tempo_levels import OCTAVES, THREE_HALVES, TWO_THIRDS, nearest_level

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

    def nearest_beat(self, time_s: float) -> int:
        """Return the position of the beat nearest to a time."""
        return int(np.abs(self.times_s - time_s).argmin())

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


def at_tempo_of(
    guest: Grid, base: Grid, ratio: float = 1.0, levels: Sequence[float] = OCTAVES
) -> Grid:
    """Return a guest's grid at a metrical level at which its beats meet the base's.

    A guest at twice the base's tempo counts every second beat, one at half of it two for each, so
    that it is never made faster or slower by more than the square root of two.

    Args:
        guest: is counted anew.
        base: to meet.
        ratio: by which the guest is to be made faster, about.
        levels: that come into question: octaves, or octaves of two thirds or three halves.
    """
    return at_level(guest, nearest_level(guest.period_s / (base.period_s * ratio), levels))


def at_level(guest: Grid, level: float, anchor_s: float | None = None) -> Grid:
    """Return a guest's grid counted anew, so that one of its beats is one of the base's.

    Args:
        guest: is counted anew.
        level: how many beats of the base one of the guest lasts: an octave, or one of two thirds
            or three halves.
        anchor_s: time of a beat that stays one; None: the first downbeat.
    """
    if anchor_s is None:
        anchor_s = float(guest.times_s[guest.first_downbeat])
    for third in (TWO_THIRDS, THREE_HALVES):
        if math.log2(level / third).is_integer():
            guest, level = _every(guest, 1 / third, anchor_s), level / third
    octaves = round(math.log2(level))
    for _ in range(-octaves):
        if len(guest.times_s) >= 4:
            guest = _every_second(guest, anchor_s)
    for _ in range(octaves):
        middles = (guest.times_s[:-1] + guest.times_s[1:]) / 2
        times = np.insert(guest.times_s, np.arange(1, len(guest.times_s)), middles)
        downbeats = np.zeros(len(times), bool)
        downbeats[::2] = guest.downbeats
        guest = Grid(times, downbeats)
    if not guest.downbeats.any():
        marked = np.arange(len(guest.times_s)) == guest.first_downbeat
        guest = replace(guest, downbeats=marked)
    return guest


def _every(grid: Grid, step: float, anchor_s: float) -> Grid:
    """Return a grid that counts a beat every so many beats, from one beat both ways."""
    last = len(grid.times_s) - 1
    anchor = grid.nearest_beat(anchor_s)
    positions = anchor + step * np.arange(-math.floor(anchor / step), (last - anchor) // step + 1)
    nearest = positions.round().astype(int)
    downbeats = grid.downbeats[nearest] & (np.abs(positions - nearest) < 1e-6)
    counted = Grid(np.interp(positions, np.arange(last + 1), grid.times_s), downbeats)
    return _to_both_ends_of(counted, grid, step)


def _every_second(grid: Grid, anchor_s: float) -> Grid:
    """Return every second beat, a certain one among them, still from end to end."""
    kept = slice(grid.nearest_beat(anchor_s) % 2, None, 2)
    return _to_both_ends_of(Grid(grid.times_s[kept], grid.downbeats[kept]), grid, 2)


def _to_both_ends_of(counted: Grid, grid: Grid, step: float) -> Grid:
    """Add a beat where a grid that was counted anew, `step` beats at a time, has become shorter."""
    times, downbeats = counted.times_s, counted.downbeats
    if times[0] > grid.times_s[0]:
        times = np.insert(times, 0, times[0] - step * grid.period_s)
        downbeats = np.insert(downbeats, 0, False)
    if times[-1] < grid.times_s[-1]:
        times = np.append(times, times[-1] + step * grid.period_s)
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
