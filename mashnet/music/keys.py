"""Keys: arithmetic on tonics and modes.

Conventions: a tonic is a pitch class, C = 0 … B = 11; a mode is "major" or "minor"; a shift is in
semitones, positive upwards, and is never larger than six in either direction.
"""

from __future__ import annotations

from dataclasses import dataclass

PITCH_NAMES = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
MODES = ("major", "minor")


@dataclass(frozen=True)
class Key:
    """A tonic and a mode."""

    tonic: int
    mode: str

    def __post_init__(self) -> None:
        """Refuse what is not a key."""
        if not 0 <= self.tonic <= 11 or self.mode not in MODES:
            raise ValueError(f"not a key: tonic {self.tonic!r}, mode {self.mode!r}")

    def __str__(self) -> str:
        """Return the key's usual name, such as "A minor"."""
        return f"{PITCH_NAMES[self.tonic]} {self.mode}"

    def transposed(self, semitones: int) -> Key:
        """Return this key moved by a number of semitones."""
        return Key((self.tonic + semitones) % 12, self.mode)

    @property
    def relative_major_tonic(self) -> int:
        """Tonic of the major key with the same notes: A minor gives C."""
        return self.tonic if self.mode == "major" else (self.tonic + 3) % 12


def fold_semitones(semitones: int) -> int:
    """Return the same pitch-class move as the smallest one, in [-5, 6]: C to B is -1, not +11."""
    folded = semitones % 12
    return folded - 12 if folded > 6 else folded


def shift_to_fit(moving: Key, fixed: Key) -> int:
    """Return the smallest shift of `moving` that gives it the notes of `fixed`.

    The result lands on the same key or on its relative: A minor to C major is 0.
    """
    return fold_semitones(fixed.relative_major_tonic - moving.relative_major_tonic)
