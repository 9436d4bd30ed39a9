"""Which pairs of a library can meet: its clips as numbers, and what is allowed between them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from mashnet.data.mixes.candidates import Limits
from mashnet.data.phrases.frontend import LENGTHS
from mashnet.library.pair_limits import ManyFacts, levels_between, shifts_allowed
from mashnet.library.placed_sides import PlacedSides
from mashnet.models.phrases.moves import OCTAVES, tempo_bpm

_ROWS = 64  # guests whose pairs are looked at at once


class Kind(NamedTuple):
    """Phrases that can be compared with each other.

    Attributes:
        length: in bars of the base.
        level: how many beats of the base one of the guest lasts.
    """

    length: int
    level: float


class Meetings:
    """Guests and bases of one metre by number, sorted by key and tempo.

    Attributes:
        guests: clip ids.
        bases: likewise.
    """

    def __init__(
        self, sides: PlacedSides, metre: int, bars: int, shifts: Sequence[int], limits: Limits
    ) -> None:
        """Take the sides of a metre.

        Args:
            sides: that take part.
            metre: beats per bar.
            bars: that phrases last, at most.
            shifts: that are tried beyond those of keys, in semitones.
            limits: how far a guest may be moved.
        """
        self._sides, self._shifts, self._limits = sides, shifts, limits
        self.guests = self._sorted(sides.guests, metre)
        self.bases = self._sorted(sides.bases, metre)
        self._guest_facts, self._base_facts = self._facts(self.guests), self._facts(self.bases)
        self._guest_songs, self._base_songs = (
            np.array([sides.song_id(clip) for clip in clips], object)
            for clips in (self.guests, self.bases)
        )
        self._lengths = [length for length in LENGTHS if length <= bars]
        self._guest_has = {
            Kind(length, level): self._have(self.guests, round(length / level))
            for length in self._lengths
            for level in OCTAVES
        }
        self._base_has = {length: self._have(self.bases, length) for length in self._lengths}

    def allowed(self, guests: np.ndarray, bases: np.ndarray, kind: Kind) -> np.ndarray:
        """Return which pairs meet in phrases of a kind, at which shift: (shifts, guests, bases)."""
        facts = self._guest_facts[guests], self._base_facts[bases]
        meets = levels_between(*facts, self._limits) == kind.level
        meets &= self._both(guests, bases, kind)
        for longer in self._lengths:
            if longer > kind.length:
                meets &= ~self._both(guests, bases, Kind(longer, kind.level))
        meets &= self._guest_songs[guests][:, None] != self._base_songs[bases]
        return meets & shifts_allowed(*facts, self._shifts, self._limits)

    @cached_property
    def wanted(self) -> dict[Kind, tuple[np.ndarray, np.ndarray]]:
        """For each kind of phrases which guests and which bases meet in them, if any do."""
        found = {}
        bases = np.arange(len(self.bases))
        for kind in self._guest_has:
            of_guests: list[np.ndarray] = []
            of_bases = np.zeros(len(bases), bool)
            for first in range(0, len(self.guests), _ROWS):
                guests = np.arange(first, min(first + _ROWS, len(self.guests)))
                meets = self.allowed(guests, bases, kind).any(axis=0).astype(bool)
                of_guests.append(guests[meets.any(axis=1)])
                of_bases |= meets.any(axis=0)
            if of_bases.any():
                found[kind] = np.concatenate(of_guests), np.flatnonzero(of_bases)
        return found

    def _both(self, guests: np.ndarray, bases: np.ndarray, kind: Kind) -> np.ndarray:
        return self._guest_has[kind][guests][:, None] & self._base_has[kind.length][bases]

    def _sorted(self, clips: Iterable[str], metre: int) -> list[str]:
        def order(clip: str) -> tuple[int, float, str]:
            facts = self._sides.database.facts_of(clip)
            tonic = facts.key.relative_major_tonic if facts.key else -1
            return tonic, np.log2(tempo_bpm(facts)) % 1, clip

        return sorted((c for c in clips if self._sides.bars(c).beats_per_bar == metre), key=order)

    def _facts(self, clips: Sequence[str]) -> ManyFacts:
        return ManyFacts.of([self._sides.database.facts_of(clip) for clip in clips])

    def _have(self, clips: Sequence[str], length: int) -> np.ndarray:
        return np.array([len(self._sides.bars(clip).phrases(length)) > 0 for clip in clips], bool)
