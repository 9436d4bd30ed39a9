"""The bars of a song that can be compared with those of another: equally many beats in each.

Trackers lose beats, double them and stop in the middle. A bar is whole where the beats between
its downbeat and the next are as many as in most bars, and about equally far apart; the others keep
their place in the count, so that bars stay as far from each other as they are, and are not used.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mashnet.music.song_facts import SongFacts

_NEAR_S = 0.07  # a downbeat is the beat this near to it
_MOST_BEATS = 32  # of a bar; more are no bar but a table's mistake, or its malice
_LONGEST = 1.5  # times the usual bar: a longer one has lost its beats
_SHORTEST = 0.67


@dataclass(frozen=True)
class Bars:
    """Bars of one metre.

    Attributes:
        times_s: of each beat and of the end, shape (bars, beats_per_bar + 1); bar i begins at the
            song's downbeat i. What is not whole holds NaN.
        whole: which can be used, shape (bars,).
    """

    times_s: np.ndarray
    whole: np.ndarray

    @property
    def beats_per_bar(self) -> int:
        """How many beats each bar has."""
        return self.times_s.shape[1] - 1

    def phrases(self, length: int) -> np.ndarray:
        """Return the bars at which so many whole ones begin, shape (phrases,)."""
        if len(self.whole) < length:
            return np.zeros(0, np.int64)
        runs = np.lib.stride_tricks.sliding_window_view(self.whole, length)
        return np.flatnonzero(runs.all(axis=1))


def bars_of(facts: SongFacts) -> Bars | None:
    """Return the bars of a song.

    Returns:
        None where there are fewer than two downbeats, no bar is whole, or bars have more than 32
        beats. Bars that reach beyond the clip are not whole.
    """
    beats = np.unique(np.asarray(facts.beats_s, np.float64))
    downbeats = np.unique(np.asarray(facts.downbeats_s, np.float64))
    beats, downbeats = beats[np.isfinite(beats)], downbeats[np.isfinite(downbeats)]
    if len(downbeats) < 2 or len(beats) < 2:
        return None
    after = np.searchsorted(beats, downbeats).clip(1, len(beats) - 1)
    nearest = after - (downbeats - beats[after - 1] <= beats[after] - downbeats)
    near = np.abs(beats[nearest] - downbeats) < _NEAR_S
    counts = np.diff(nearest)
    found = counts[near[:-1] & near[1:]]
    if not found.size or found.max() < 1:
        return None
    metre = int(np.bincount(found[found > 0]).argmax())
    if facts.beats_per_bar and (counts == facts.beats_per_bar).any():
        metre = facts.beats_per_bar
    if metre > _MOST_BEATS:
        return None
    usual_s = float(np.median(np.diff(downbeats)[counts == metre])) if metre in counts else 0.0
    times = np.full((len(downbeats), metre + 1), np.nan)
    for bar in range(len(downbeats)):
        first = nearest[bar]
        if not near[bar]:
            continue
        if bar + 1 < len(downbeats):
            if counts[bar] != metre or not near[bar + 1]:
                continue
            row = beats[first : first + metre + 1]
        else:
            row = _last_bar(beats, first, metre, facts.duration_s)
        if len(row) < metre + 1:
            continue
        length_s = row[-1] - row[0]
        inside = row[0] >= -_NEAR_S and row[-1] <= facts.duration_s + _NEAR_S
        if inside and _SHORTEST * usual_s <= length_s <= _LONGEST * usual_s:
            times[bar] = row
    whole = np.isfinite(times).all(axis=1)
    return Bars(times, whole) if whole.any() else None


def _last_bar(beats: np.ndarray, first: int, metre: int, duration_s: float) -> np.ndarray:
    """Return the beats of the bar after the last downbeat, with its end, if the clip holds it."""
    row = beats[first : first + metre + 1]
    if len(row) == metre and metre > 1:
        end_s = row[-1] + (row[-1] - row[0]) / (metre - 1)
        if end_s <= duration_s + 0.05 * (end_s - row[0]):
            row = np.append(row, end_s)
    return row
