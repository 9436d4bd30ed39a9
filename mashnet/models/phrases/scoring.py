"""PlaceNet as a Scorer: it judges parts as they lie, and says where they could be laid."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from mashnet.data.parts import Group
from mashnet.data.phrases.frontend import LENGTHS, HeardSide, PhraseFrontend
from mashnet.data.phrases.phrase import Phrases, joined
from mashnet.data.roles import ROLES, VOCAL
from mashnet.errors import ConfigError
from mashnet.models.phrases.placenet import PlaceNet
from mashnet.models.submix import EncodingCache
from mashnet.models.trained import TrainedScorer
from mashnet.music.beats import tempo_of
from mashnet.music.keys import fold_semitones, shift_to_fit
from mashnet.music.placement import Placement
from mashnet.music.tempo_levels import ANY_RATIO, folded
from mashnet.music.tunings import cents_to_fit, shift_with

NOTHING = -100.0  # the score of a pair that cannot be compared: below all that can
HEARD_TOGETHER = 8  # the best places of a pair that the joint head hears
OCTAVES = (1.0, 0.5, 2.0)


@dataclass(frozen=True)
class Place:
    """Where the phrases of a pair meet best, and how well."""

    guest: int  # number of the guest's phrase
    base: int
    semitones: int  # by which the guest goes up, beyond what keys say
    score: float
    confidence: float


class PlaceNetScorer(TrainedScorer):
    """PlaceNet and its frontend.

    Attributes:
        judges_unmoved: it is asked about parts as they lie, whatever their key and tempo.
        most_semitones: how far from the shift that the keys say others are tried; 6: all keys,
            as if none were known.
    """

    network_class = PlaceNet
    view = "phrases"
    roles = ROLES
    probe_s = 17.0  # eight bars of 2 s, and an end
    is_probability = False
    judges_unmoved = True
    network: PlaceNet
    frontend: PhraseFrontend

    def __init__(self, network: PlaceNet, frontend: PhraseFrontend, *, name: str) -> None:
        """Take a network and its frontend; keys are believed."""
        super().__init__(network, frontend, name=name)
        self.most_semitones = 0
        self._heard = EncodingCache(lambda group: self.frontend.hear(group, self.device))

    @staticmethod
    def frontend_of(settings: dict[str, Any]) -> PhraseFrontend:
        """Build the frontend from its settings."""
        return PhraseFrontend(**settings)

    @torch.inference_mode()
    def score(self, query: Group, candidates: Sequence[Group]) -> torch.Tensor:
        """Return one number per candidate, (candidates,): at the best place of the best phrases.

        Phrases last 16 bars where both sides have them, else 8, else 4. Sides of different metres,
        and those that have fewer bars, are not compared: their score is `NOTHING`.
        """
        return torch.tensor([self._score(query, candidate) for candidate in candidates])

    @torch.inference_mode()
    def place(self, query: Group, candidate: Group) -> Placement:
        """Return where a phrase of the candidate, the guest, fits the query, the base, best.

        Tempi are folded: a guest at half the base's tempo is heard in half time.

        Raises:
            ConfigError: if the two cannot be compared, and why.
        """
        base, guest = self._heard(query), self._heard(candidate)
        for heard in (base, guest):
            if heard.side is None:
                raise ConfigError(f"{heard.facts.name} has no whole bar: nothing can be laid on it")
        assert base.side is not None and guest.side is not None
        if base.side.beats_per_bar != guest.side.beats_per_bar:
            raise ConfigError(
                f"bars of {guest.facts.name} have {guest.side.beats_per_bar} beats, those of "
                f"{base.facts.name} {base.side.beats_per_bar}: they are not compared"
            )
        ratio = _tempo_bpm(base) / _tempo_bpm(guest)
        tempo = folded(ratio, (None, None), ANY_RATIO, OCTAVES)
        assert tempo is not None  # any ratio may be left
        length, on, off = self._longest(base, guest, tempo.level, self.frontend.bars)
        if not length:
            raise ConfigError(
                f"{guest.facts.name} and {base.facts.name} have no {min(LENGTHS)} whole bars in a "
                f"row that could meet"
            )
        bars = base.side.cut(on, length)
        phrases = guest.side.cut(off, round(length / tempo.level)).at_level(tempo.level)
        found = self._best(phrases, bars, guest_leads=_leads(candidate, query))
        semitones = 0
        if base.facts.key and guest.facts.key:
            semitones = shift_to_fit(guest.facts.key, base.facts.key)
        cents = cents_to_fit(guest.facts.tuning, base.facts.tuning)
        shift = shift_with(fold_semitones(semitones + found.semitones), cents)
        return Placement(
            guest_bar=int(off[found.guest]),
            base_bar=int(on[found.base]),
            bars=length,
            semitones=shift.semitones,
            cents=shift.cents,
            tempo_level=tempo.level,
            tempo_ratio=tempo.ratio,
            score=found.score,
            confidence=found.confidence,
        )

    def _score(self, query: Group, candidate: Group) -> float:
        one, other = self._heard(query), self._heard(candidate)
        if one.side is None or other.side is None:
            return NOTHING
        if one.side.beats_per_bar != other.side.beats_per_bar:
            return NOTHING
        length, on, off = self._longest(one, other, 1.0, max(LENGTHS))
        if not length:
            return NOTHING
        phrases = one.side.cut(on, length), other.side.cut(off, length)
        return self._best(phrases[1], phrases[0], guest_leads=_leads(candidate, query)).score

    def _longest(
        self, base: HeardSide, guest: HeardSide, level: float, most: int
    ) -> tuple[int, np.ndarray, np.ndarray]:
        """Return the longest phrases that both have, in bars of the base, and where they begin."""
        assert base.bars is not None and guest.bars is not None
        for length in LENGTHS:
            if length <= most:
                on, off = base.bars.phrases(length), guest.bars.phrases(round(length / level))
                if len(on) and len(off):
                    return length, on, off
        return 0, np.zeros(0, np.int64), np.zeros(0, np.int64)

    def _best(self, guest: Phrases, base: Phrases, *, guest_leads: bool) -> Place:
        """Try all phrases on all, at all shifts that are allowed."""
        guest, base = guest.to(self.device), base.to(self.device)
        shifts = range(-self.most_semitones, self.most_semitones + (self.most_semitones < 6))
        shifts = shifts or range(1)
        of_guest, of_base = (
            (self.network.lead, self.network.backing)
            if guest_leads
            else (self.network.backing, self.network.lead)
        )
        vectors = of_base(base)
        scores = torch.stack([of_guest(guest.shifted(k)) @ vectors.T for k in shifts])
        heard = scores + _silent(guest)[None, :, None] + _silent(base)[None, None, :]
        best = heard.flatten().topk(min(HEARD_TOGETHER, heard.numel()))
        k, g, b = (torch.from_numpy(x) for x in np.unravel_index(best.indices.cpu(), scores.shape))
        moved = [guest[j : j + 1].shifted(shifts[int(i)]) for i, j in zip(k, g, strict=True)]
        pair = (joined(moved), base[b]) if guest_leads else (base[b], joined(moved))
        corrected = best.values + self.network.correction(*pair)
        first = int(corrected.argmax())
        score, semitones = float(corrected[first]), shifts[int(k[first])]
        # How sure the place is: of all bars and shifts that this phrase could be laid on.
        others = scores[:, int(g[first])].flatten() + (corrected[first] - best.values[first])
        confidence = min(1.0, math.exp(score - float(torch.logsumexp(others, 0))))
        return Place(int(g[first]), int(b[first]), semitones, score, confidence)


def _silent(phrases: Phrases) -> torch.Tensor:
    """Return what keeps silent phrases from being chosen where others sound, (n,)."""
    sounding = phrases.sounding()
    return torch.where(sounding | ~sounding.any(), 0.0, NOTHING)


def _leads(guest: Group, base: Group) -> bool:
    """Return whether the guest leads: it brings the vocal, or the base does not and asks."""
    return VOCAL in guest and VOCAL not in base


def _tempo_bpm(heard: HeardSide) -> float:
    return heard.facts.tempo_bpm or tempo_of(heard.facts.beats_s)
