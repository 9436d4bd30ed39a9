"""PlaceNet as a Scorer: it judges parts as they lie, and says where they could be laid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from mashnet.data.parts import Group
from mashnet.data.phrases.frontend import LENGTHS, PhraseFrontend
from mashnet.data.roles import ROLES, VOCAL
from mashnet.errors import ConfigError
from mashnet.models.phrases.heard import HeardSide
from mashnet.models.phrases.meeting import NOTHING, Meeting, shifts_within
from mashnet.models.phrases.placenet import PlaceNet
from mashnet.models.submix import EncodingCache
from mashnet.models.trained import TrainedScorer
from mashnet.music.keys import fold_semitones, shift_to_fit
from mashnet.music.placement import Placement
from mashnet.music.tempo_levels import ANY_RATIO, folded
from mashnet.music.tunings import cents_to_fit, shift_with

OCTAVES = (1.0, 0.5, 2.0)


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
        self._heard = EncodingCache(self._hear)

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
        scores = []
        for candidate in candidates:
            base, guest = self._heard(query), self._heard(candidate)
            meeting = None
            if base.beats_per_bar == guest.beats_per_bar:
                meeting = self._meeting(base, guest, 1.0, max(LENGTHS), _leads(candidate, query))
            scores.append(torch.tensor(NOTHING) if meeting is None else meeting.best.amax().cpu())
        return torch.stack(scores) if scores else torch.zeros(0)

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
        if base.beats_per_bar != guest.beats_per_bar:
            raise ConfigError(
                f"bars of {guest.facts.name} have {guest.beats_per_bar} beats, those of "
                f"{base.facts.name} {base.beats_per_bar}: they are not compared"
            )
        tempo = folded(base.tempo_bpm / guest.tempo_bpm, (None, None), ANY_RATIO, OCTAVES)
        assert tempo is not None  # any ratio may be left
        leads = _leads(candidate, query)
        meeting = self._meeting(base, guest, tempo.level, self.frontend.bars, leads)
        if meeting is None:
            raise ConfigError(
                f"{guest.facts.name} and {base.facts.name} have no {min(LENGTHS)} whole bars in a "
                f"row that could meet"
            )
        found = meeting.place()
        semitones = found.semitones
        if base.facts.key and guest.facts.key:
            semitones += shift_to_fit(guest.facts.key, base.facts.key)
        cents = cents_to_fit(guest.facts.tuning, base.facts.tuning)
        shift = shift_with(fold_semitones(semitones), cents)
        return Placement(
            guest_bar=int(guest.starts(round(meeting.bars / tempo.level))[found.guest]),
            base_bar=int(base.starts(meeting.bars)[found.base]),
            bars=meeting.bars,
            semitones=shift.semitones,
            cents=shift.cents,
            tempo_level=tempo.level,
            tempo_ratio=tempo.ratio,
            score=found.score,
            confidence=found.confidence,
        )

    def _hear(self, group: Group) -> HeardSide:
        waves = self.frontend.waves_of(group)
        return HeardSide.read(self.network, waves, self.device)

    def _meeting(
        self, base: HeardSide, guest: HeardSide, level: float, most: int, guest_leads: bool
    ) -> Meeting | None:
        """Let the longest phrases meet that both have; None where they have none."""
        for bars in LENGTHS:
            of_guest = round(bars / level)
            if bars <= most and len(base.starts(bars)) and len(guest.starts(of_guest)):
                return Meeting(
                    self.network,
                    base.phrases(bars),
                    guest.phrases(of_guest).at_level(level),
                    shifts_within(self.most_semitones),
                    guest_leads=guest_leads,
                )
        return None


def _leads(guest: Group, base: Group) -> bool:
    """Return whether the guest leads: it brings the vocal. Else the base does: it asks."""
    return VOCAL in guest and VOCAL not in base
