"""Tunings: arithmetic on cents.

Conventions: a tuning is in cents above equal temperament at A = 440 Hz, in (-50, 50]; a hundred
cents are a semitone. A confidence is in [0, 1]: the resultant length of all partials on the
circle of a semitone; 1 where all lie equally far off, near 0 where they lie anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, overload

import numpy as np

SURE = 0.25  # confidence; four in five songs have it, and follow a move within 2 cents
INAUDIBLE_CENTS = 3.0  # and within what estimates differ by: not worth a pass of an engine


class Tuning(NamedTuple):
    """Where the notes of a recording lie.

    Attributes:
        cents: above equal temperament at A = 440 Hz, in (-50, 50].
        confidence: 0..1.
    """

    cents: float
    confidence: float


class Shift(NamedTuple):
    """A shift in pitch.

    Attributes:
        semitones: whole ones, in [-6, 6].
        cents: on top, in [-50, 50].
    """

    semitones: int
    cents: float

    @property
    def in_semitones(self) -> float:
        """Both together."""
        return self.semitones + self.cents / 100 if self.cents else self.semitones


def tuning_of(row: Mapping[str, Any]) -> Tuning | None:
    """Return a clip's tuning by its row of clips.parquet; None where it is not known."""
    cents, confidence = row["tuning_cents"], row["tuning_confidence"]
    return None if cents is None or confidence is None else Tuning(cents, confidence)


def cents_to_fit(moving: Tuning | None, fixed: Tuning | None) -> float:
    """Return by how many cents music has to be moved to be in tune with other music.

    Args:
        moving: its tuning; None where it is not known.
        fixed: that of the other.

    Returns:
        In (-100, 100); 0 unless both tunings are sure, and apart by what can be heard.
    """
    if moving is None or fixed is None or min(moving.confidence, fixed.confidence) < SURE:
        return 0.0
    cents = max(-99.9, min(99.9, round(fixed.cents - moving.cents, 1)))
    return cents if abs(cents) > INAUDIBLE_CENTS else 0.0


def shift_with(semitones: int, cents: float) -> Shift:
    """Put a shift between keys and one between tunings together.

    Keys are named by the equal-tempered pitch next to what sounds. A song 45 cents above its name
    and one 45 below theirs are nearly a semitone apart where their names are the same: what is
    nearer to a whole semitone becomes one. No shift is larger than about six semitones.

    Args:
        semitones: in [-5, 6].
        cents: in (-100, 100).
    """
    if not cents:
        return Shift(semitones, 0.0)
    whole = round(semitones + cents / 100)
    left = round(100 * (semitones - whole) + cents, 1)
    return Shift(whole + 12 if whole < -6 else whole - 12 if whole > 6 else whole, left)


@overload
def fold_cents(cents: float) -> float: ...
@overload
def fold_cents(cents: np.ndarray) -> np.ndarray: ...
def fold_cents(cents: float | np.ndarray) -> float | np.ndarray:
    """Return the same place on the circle of a semitone, in (-50, 50]."""
    folded = 50 - np.mod(50 - np.asarray(cents, np.float64), 100)
    return folded if isinstance(cents, np.ndarray) else float(folded)
