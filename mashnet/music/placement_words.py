"""A placement in the words in which people are told of it; they count bars from 1."""

from __future__ import annotations

import math

from mashnet.music.bar_starts import USUAL_BEATS, bar_starts_s
from mashnet.music.placement import Placement
from mashnet.music.song_facts import SongFacts
from mashnet.music.tempo_levels import tempo_words


def placement_words(
    placement: Placement, base: SongFacts, guest: SongFacts, *, pitched: bool = True
) -> str:
    """Say where a phrase meets, how the guest is moved, and how sure that is.

    Args:
        placement: bars of the guest on bars of the base.
        base: the song whose time stays as it is.
        guest: the song that is moved.
        pitched: whether anything of it is; drums keep their pitch, and no shift is said.

    Returns:
        As "bars 9–16 of GUEST on bars 17–24 of BASE (0:32), +2 semitones, −12 cents, 3 % faster,
        half time; sure 0.83"; what does not move is not said, nor is a confidence nobody has.
    """
    starts_s = bar_starts_s(base)
    when = ""
    if placement.base_bar < len(starts_s):
        minutes, seconds = divmod(int(starts_s[placement.base_bar]), 60)
        when = f" ({minutes}:{seconds:02})"
    of_guest = _bars(placement.guest_bar, _bars_of_guest(placement, base, guest))
    meeting = f"{of_guest} of {guest.name} on {_bars(placement.base_bar, placement.bars)}"
    tempo = tempo_words(placement.tempo_ratio, placement.tempo_level)
    moves = [
        _signed(placement.semitones if pitched else 0, "semitone"),
        _signed(round(placement.cents) if pitched else 0, "cent"),
        tempo.removeprefix("as it is").removeprefix(", "),
    ]
    words = ", ".join([f"{meeting} of {base.name}{when}", *filter(None, moves)])
    return words if placement.confidence is None else f"{words}; sure {placement.confidence:.2f}"


def _bars_of_guest(placement: Placement, base: SongFacts, guest: SongFacts) -> int:
    """Return in how many bars of the guest the phrase lies: fewer in half time."""
    beats = placement.bars * (base.beats_per_bar or USUAL_BEATS) / placement.tempo_level
    return max(1, math.ceil(beats / (guest.beats_per_bar or USUAL_BEATS) - 1e-6))


def _bars(first: int, count: int) -> str:
    return f"bar {first + 1}" if count == 1 else f"bars {first + 1}–{first + count}"


def _signed(amount: int, unit: str) -> str:
    if not amount:
        return ""
    sign = "+" if amount > 0 else "−"
    return f"{sign}{abs(amount)} {unit}{'' if abs(amount) == 1 else 's'}"
