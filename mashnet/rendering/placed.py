"""Which beats of a guest sound on which beats of the base, where a placement says so.

The placed phrase is where the two meet; around it the guest runs on, both ways, as far as both
songs go. Nothing is repeated: where the guest has ended, or has not begun, the base is alone.
"""

from __future__ import annotations

from typing import NamedTuple

from mashnet.errors import ConfigError
from mashnet.music.bar_starts import bar_starts_s
from mashnet.music.placement import Placement
from mashnet.music.song_facts import SongFacts
from mashnet.music.tempo_levels import RENDERED_LEVELS
from mashnet.rendering.grid import Grid
from mashnet.rendering.runs import Run, bars_fit, to_bar_line

_MOST_SEMITONES = 6


class Meeting(NamedTuple):
    """When the placed phrase begins, in seconds from the start of either song's clip."""

    base_s: float
    guest_s: float


def meeting_of(placement: Placement, base: SongFacts, guest: SongFacts) -> Meeting:
    """Return when the placed phrase begins in two songs that have beats.

    Raises:
        ConfigError: if a song has no such bar, or the guest cannot be moved like that.
    """
    if placement.tempo_level not in RENDERED_LEVELS:
        raise ConfigError(
            f"tempo_level={placement.tempo_level:g}: beats meet at 1, at its halves and doubles, "
            "at 2/3 and at 3/2"
        )
    if abs(placement.semitones) > _MOST_SEMITONES:
        raise ConfigError(
            f"semitones={placement.semitones}: expected from -{_MOST_SEMITONES} to "
            f"{_MOST_SEMITONES}"
        )
    return Meeting(
        _start_s(base, placement.base_bar, placement.bars), _start_s(guest, placement.guest_bar, 1)
    )


def by_placement(base: Grid, guest: Grid, meeting: Meeting) -> list[Run]:
    """Lay the guest's phrase where it is placed, and run on both ways, bar by bar.

    Where a downbeat of the base has come to lie on none of the guest the guest moves on or back
    to its nearest one, as in the other techniques.

    Args:
        base: beats of the base.
        guest: beats of the guest, at the level of the placement.
        meeting: when the phrase begins.

    Returns:
        Runs in order of time.
    """
    first = base.nearest_beat(meeting.base_s), guest.nearest_beat(meeting.guest_s)
    return [*reversed(_before(base, guest, *first)), *_from(base, guest, *first)]


def _from(base: Grid, guest: Grid, position: int, at: int) -> list[Run]:
    """Run on to the end of either song."""
    stop, last = len(base.times_s) - 1, len(guest.times_s) - 1
    fits = bars_fit(base, guest)
    runs = []
    while position < stop and at < last:
        bar_end = position + 1
        while bar_end < stop and not base.downbeats[bar_end]:
            bar_end += 1
        bar = bar_end - position
        beats = min(bar, last - at)
        runs.append(Run(position, at, beats))
        position, at = position + beats, at + beats
        if fits and at < last:
            at = to_bar_line(guest, at, base.beats_per_bar, range(last), bar // 2)
    return runs


def _before(base: Grid, guest: Grid, position: int, at: int) -> list[Run]:
    """Run back to the beginning of either song; the last run comes first."""
    last = len(guest.times_s) - 1
    fits = bars_fit(base, guest)
    runs = []
    while position > 0 and at > 0:
        bar_start = position - 1
        while bar_start > 0 and not base.downbeats[bar_start]:
            bar_start -= 1
        bar = position - bar_start
        beats = min(bar, at)
        position, at = position - beats, at - beats
        if fits and beats == bar and base.downbeats[position]:
            at = to_bar_line(guest, at, base.beats_per_bar, range(last), bar // 2)
        runs.append(Run(position, at, min(beats, last - at)))
    return runs


def _start_s(song: SongFacts, bar: int, bars: int) -> float:
    """Return when a bar begins; people are told of it as they count, from 1."""
    starts_s = bar_starts_s(song)
    if not 0 <= bar < len(starts_s) or not 1 <= bars <= len(starts_s) - bar:
        phrase = f"bar {bar + 1}" if bars == 1 else f"bars {bar + 1} to {bar + bars}"
        raise ConfigError(f"{song.name} has {len(starts_s)} bars: no phrase lies on {phrase}")
    return float(starts_s[bar])
