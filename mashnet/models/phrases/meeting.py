"""All ways in which phrases of a guest can meet those of a base, and how well each fits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from mashnet.data.phrases.phrase import Phrases
from mashnet.models.phrases.placenet import PlaceNet

NOTHING = -100.0  # the score of what cannot be compared: below all that can
HEARD_TOGETHER = 8  # the best places of a pair that the joint head hears


def shifts_within(most_semitones: int) -> range:
    """Return the shifts that are tried round the one that keys say: all twelve at 6."""
    return range(-most_semitones, most_semitones + (most_semitones < 6)) or range(1)


@dataclass(frozen=True)
class Place:
    """Where the phrases of a pair meet best.

    Attributes:
        guest: number of the guest's phrase.
        base: number of the base's.
        semitones: by which the guest goes up, beyond what keys say.
        score: how well they fit there.
        confidence: how likely this phrase belongs there, of all bars and shifts tried, 0…1.
    """

    guest: int
    base: int
    semitones: int
    score: float
    confidence: float


class Meeting:
    """Scores of all phrases of a guest on all of a base; the joint head hears the best.

    Attributes:
        bars: of a phrase, counted as the base counts.
        best: corrected scores of the best places, (k,).
    """

    def __init__(
        self,
        network: PlaceNet,
        base: Phrases,
        guest: Phrases,
        shifts: Sequence[int],
        *,
        guest_leads: bool,
    ) -> None:
        """Compare phrases of equal length, (b,) and (g,)."""
        self.bars = base.bars
        self.shifts = shifts
        of_guest, of_base = network.backing, network.lead
        if guest_leads:
            of_guest, of_base = network.lead, network.backing
        vectors = of_base(base)
        # (shifts, guest's phrases, base's phrases)
        self.scores = torch.stack([of_guest(guest.shifted(k)) @ vectors.T for k in shifts])
        heard = self.scores + _silence(guest)[:, None] + _silence(base)
        found = heard.flatten().topk(min(HEARD_TOGETHER, heard.numel()))
        per_shift, per_phrase = len(guest) * len(base), len(base)
        self._shift = found.indices // per_shift
        self._guest = found.indices % per_shift // per_phrase
        self._base = found.indices % per_phrase
        steps = torch.tensor(list(shifts), device=found.indices.device)[self._shift]
        moved, laid = guest[self._guest].shifted(steps), base[self._base]
        pair = (moved, laid) if guest_leads else (laid, moved)
        self._correction = network.correction(*pair)
        self.best = found.values + self._correction

    def place(self) -> Place:
        """Return the best place."""
        first = int(self.best.argmax())
        guest, score = int(self._guest[first]), float(self.best[first])
        others = self.scores[:, guest].flatten() + self._correction[first]
        likely = math.exp(min(0.0, score - float(others.logsumexp(0))))
        semitones = self.shifts[int(self._shift[first])]
        return Place(guest, int(self._base[first]), semitones, score, likely)


def _silence(phrases: Phrases) -> torch.Tensor:
    """Return what keeps silent phrases from being chosen where others sound, (n,)."""
    sounding = phrases.sounding()
    return torch.where(sounding | ~sounding.any(), 0.0, NOTHING)
