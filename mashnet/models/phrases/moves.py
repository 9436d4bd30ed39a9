"""How a guest has to be moved before it can meet a base: tempo, key and tuning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mashnet.music.beats import tempo_of
from mashnet.music.keys import fold_semitones, shift_to_fit
from mashnet.music.limits import Limits
from mashnet.music.song_facts import SongFacts
from mashnet.music.tempo_levels import ANY_RATIO, Folded, folded
from mashnet.music.tunings import Shift, cents_to_fit, shift_with

OCTAVES = (1.0, 0.5, 2.0)  # levels at which bars of one metre meet
SLOWEST_BPM, FASTEST_BPM = 1.0, 1000.0  # what lies beyond is no tempo
ANYWHERE = Limits(max_semitones=6, tempo_range=ANY_RATIO)


@dataclass(frozen=True)
class Move:
    """How a guest is moved.

    Attributes:
        tempo: level, and what is left of the ratio.
        semitones: what the keys say, in [-5, 6]; 0 where one is not known.
        cents: what the tunings say.
    """

    tempo: Folded
    semitones: int
    cents: float

    def shift(self, beyond: int) -> Shift:
        """Return the shift of the guest where its phrase goes up some semitones beyond keys."""
        return shift_with(fold_semitones(self.semitones + beyond), self.cents)

    def allowed(self, beyond: Sequence[int], limits: Limits) -> list[bool]:
        """Return which of several such shifts are within limits."""
        return [abs(self.shift(k).semitones) <= limits.max_semitones for k in beyond]


def move_of(guest: SongFacts, base: SongFacts, limits: Limits) -> Move | None:
    """Return how a guest meets a base; None where their tempi are further apart than allowed."""
    levels = [level for level in OCTAVES if level in limits.levels]
    ratio = tempo_bpm(base) / tempo_bpm(guest)
    tempo = folded(ratio, (None, None), limits.tempo_range, levels)
    if tempo is None:
        return None
    semitones = shift_to_fit(guest.key, base.key) if base.key and guest.key else 0
    cents = cents_to_fit(guest.tuning, base.tuning) if limits.tuned else 0.0
    return Move(tempo, semitones, cents)


def tempo_bpm(facts: SongFacts) -> float:
    """Return a song's tempo; where it is not written down, what its beats say."""
    return facts.tempo_bpm or tempo_of(facts.beats_s)
