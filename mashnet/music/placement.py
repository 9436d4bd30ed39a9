"""A placement: which bars of a guest sound on which bars of a base, and how the guest is moved."""

from __future__ import annotations

from dataclasses import dataclass

from mashnet.music.tunings import Shift


@dataclass(frozen=True)
class Placement:
    """Where a phrase of a guest is laid.

    Bars are counted by the clip's downbeats: bar i begins at `downbeats_s[i]`.

    Attributes:
        guest_bar: first bar of the guest's phrase.
        base_bar: bar of the base on which it begins.
        bars: of the base that the phrase lasts.
        semitones: shift of the guest's pitched stems, in [-6, 6].
        cents: on top of the semitones.
        tempo_level: how many beats of the base one beat of the guest lasts.
        tempo_ratio: by which the guest is made faster.
        score: how well it fits there, as whoever proposed it sees it; higher fits better.
        confidence: 0…1: the share that this place has of a softmax over all bars and shifts that
            this phrase of the guest was tried on; 1 where there is but one. Not calibrated. None
            where nobody knows.
    """

    guest_bar: int
    base_bar: int
    bars: int
    semitones: int = 0
    cents: float = 0.0
    tempo_level: float = 1.0
    tempo_ratio: float = 1.0
    score: float = 0.0
    confidence: float | None = None

    @property
    def shift(self) -> Shift:
        """Semitones and cents together."""
        return Shift(self.semitones, self.cents)
