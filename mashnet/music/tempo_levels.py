"""Metrical levels: a tempo is known up to them, so that tempi are compared folded by them.

A vocal at 70 bpm goes with music at 140: one of its beats lasts two of the music's. Conventions:
a ratio is the base's tempo over the guest's; it is the product of a level and of what is left,
by which the guest is made faster. The level says how many beats of the base one of the guest
lasts: 2 is half time, 1/2 double time. Two thirds and three halves are levels only between bars
of four beats and bars of three or six, which are then equally long.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

Metres = tuple[int | None, int | None]  # beats per bar of the base and of the guest

TWO_THIRDS, THREE_HALVES = 2 / 3, 3 / 2
LEVELS = (1.0, 1 / 2, 2.0, TWO_THIRDS, THREE_HALVES)
ONE_LEVEL = (1.0,)  # the rule of the mashability paper: tempi as they are written down
OCTAVES = tuple(2.0**power for power in range(-4, 5))
RENDERED_LEVELS = (*OCTAVES, TWO_THIRDS, THREE_HALVES)  # at which songs can be laid on each other
TEMPO_RANGE = (0.8, 1.2)
ANY_RATIO = (0.0, math.inf)
_NAMES = {
    1.0: "",
    1 / 2: "double time",
    2.0: "half time",
    TWO_THIRDS: "3 on 2",
    THREE_HALVES: "2 on 3",
}


class Folded(NamedTuple):
    """A ratio of tempi, folded.

    Attributes:
        level: how many beats of the base one beat of the guest lasts.
        ratio: by which the guest is made faster.
    """

    level: float
    ratio: float


def folded(
    ratio: float,
    metres: Metres = (None, None),
    tempo_range: tuple[float, float] = TEMPO_RANGE,
    levels: Sequence[float] = LEVELS,
) -> Folded | None:
    """Fold a ratio by the level that leaves least to be stretched.

    Args:
        ratio: the base's tempo over the guest's, positive.
        metres: beats per bar of the base and of the guest; None (or 0) where not known.
        tempo_range: smallest and largest ratio that may be left.
        levels: that come into question; of two that leave equally much the first is taken.

    Returns:
        None if more than that is left.
    """
    allowed = [level for level in levels if allows(level, metres)]
    level = nearest_level(ratio, allowed)
    left = ratio / level
    return Folded(level, left) if tempo_range[0] <= left <= tempo_range[1] else None


def nearest_level(ratio: float, levels: Sequence[float]) -> float:
    """Return the level that leaves least of a ratio; of equals that next to 1."""
    return min(levels, key=lambda level: (abs(math.log2(ratio / level)), abs(math.log2(level))))


def allows(level: float, metres: Metres) -> bool:
    """Return whether the metres of base and guest let their beats meet at a level."""
    base, guest = metres
    if level == TWO_THIRDS:
        return base == 4 and guest in (3, 6)
    if level == THREE_HALVES:
        return base in (3, 6) and guest == 4
    return True


def level_name(level: float) -> str:
    """Return what a guest at a level does: "half time", "double time", "3 on 2"; empty for 1."""
    return _NAMES.get(level, f"level {level:.3g}")


def level_fraction(level: float) -> str:
    """Return one of `RENDERED_LEVELS` as it is typed: "2", "1/2", "2/3"."""
    return str(Fraction(level).limit_denominator(16))


def tempo_words(ratio: float, level: float = 1.0) -> str:
    """Return "as it is", "4 % faster", "12 % slower, half time"."""
    percent = round(100 * (ratio - 1))
    moved = f"{abs(percent)} % {'faster' if percent > 0 else 'slower'}" if percent else "as it is"
    return ", ".join(filter(None, [moved, level_name(level)]))
