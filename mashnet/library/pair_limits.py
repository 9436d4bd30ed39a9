"""Which of many guests may be laid on which of many bases: `move_of` for all pairs at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mashnet.data.mixes.candidates import Limits
from mashnet.models.phrases.moves import OCTAVES, tempo_bpm
from mashnet.music.song_facts import SongFacts
from mashnet.music.tunings import INAUDIBLE_CENTS, SURE


@dataclass(frozen=True, eq=False)
class ManyFacts:
    """What decides how songs are moved, (songs,) each.

    Attributes:
        tempo_bpm: beats per minute.
        tonic: of the relative major; -1 where no key is known.
        cents: of the tuning; NaN where it is not sure.
    """

    tempo_bpm: np.ndarray
    tonic: np.ndarray
    cents: np.ndarray

    @classmethod
    def of(cls, facts: Sequence[SongFacts]) -> ManyFacts:
        """Collect them."""
        tunings = [one.tuning for one in facts]
        return cls(
            np.array([tempo_bpm(one) for one in facts], np.float64),
            np.array([one.key.relative_major_tonic if one.key else -1 for one in facts], np.int64),
            np.array([t.cents if t and t.confidence >= SURE else np.nan for t in tunings]),
        )

    def __getitem__(self, index: slice | np.ndarray) -> ManyFacts:
        """Choose songs."""
        return ManyFacts(self.tempo_bpm[index], self.tonic[index], self.cents[index])


def levels_between(guests: ManyFacts, bases: ManyFacts, limits: Limits) -> np.ndarray:
    """Return at which level each guest meets each base, 0 where it is too far off.

    Shape (guests, bases).
    """
    levels = np.array([level for level in OCTAVES if level in limits.levels])
    found = np.zeros((len(guests.tempo_bpm), len(bases.tempo_bpm)))
    if not len(levels):
        return found
    ratio = bases.tempo_bpm / guests.tempo_bpm[:, None]
    # Levels stand in the order of how far they are from 1: of equals the first is taken.
    distance = np.abs(np.log2(ratio[..., None] / levels))
    level = levels[distance.argmin(axis=-1)]
    left = ratio / level
    low, high = limits.tempo_range
    return np.where((left >= low) & (left <= high), level, 0.0)


def shifts_allowed(
    guests: ManyFacts, bases: ManyFacts, beyond: Sequence[int], limits: Limits
) -> np.ndarray:
    """Return which shifts beyond that of the keys are within limits, (beyond, guests, bases)."""
    known = (guests.tonic[:, None] >= 0) & (bases.tonic >= 0)
    keys = np.where(known, bases.tonic - guests.tonic[:, None], 0)
    cents = np.zeros(keys.shape)
    if limits.tuned:
        apart = np.clip(np.round(bases.cents - guests.cents[:, None], 1), -99.9, 99.9)
        cents = np.where(
            np.abs(apart) > INAUDIBLE_CENTS, apart, 0.0
        )  # what is not sure is not apart
    semitones = _folded(keys + np.array(beyond)[:, None, None])
    whole = np.where(cents != 0, np.round(semitones + cents / 100), semitones)
    whole = np.where(whole < -6, whole + 12, np.where(whole > 6, whole - 12, whole))
    return np.abs(whole) <= limits.max_semitones


def _folded(semitones: np.ndarray) -> np.ndarray:
    around = semitones % 12
    return np.where(around > 6, around - 12, around)
