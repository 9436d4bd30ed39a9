"""Networks of phrases as Scorers: they judge parts as they lie, and say where to lay them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from mashnet.data.parts import Group
from mashnet.data.phrases.frontend import LENGTHS, PhraseFrontend
from mashnet.data.roles import ROLES, VOCAL
from mashnet.errors import ConfigError
from mashnet.models.phrases.heard import HeardSide
from mashnet.models.phrases.kept import KeptEncodings
from mashnet.models.phrases.moves import ANYWHERE, SLOWEST_BPM, move_of, tempo_bpm
from mashnet.models.phrases.network import PhraseNetwork
from mashnet.models.phrases.places import (
    NOTHING,
    Encoded,
    best_places,
    best_scores,
    common_length,
    encoded,
    placement_of,
)
from mashnet.models.submix import EncodingCache, group_key
from mashnet.models.trained import TrainedScorer
from mashnet.music.placement import Placement


class PhraseScorer(TrainedScorer):
    """A network of phrases and its frontend.

    Attributes:
        judges_unmoved: it is asked about parts as they lie, whatever their key and tempo.
        most_semitones: how far from the shift that the keys say others are tried; 6: all keys,
            as if none were known.
    """

    view = "phrases"
    roles = ROLES
    probe_s = 17.0  # eight bars of 2 s, and an end
    is_probability = False
    judges_unmoved = True
    network: PhraseNetwork
    frontend: PhraseFrontend

    def __init__(self, network: PhraseNetwork, frontend: PhraseFrontend, *, name: str) -> None:
        """Take a network and its frontend; keys are believed."""
        super().__init__(network, frontend, name=name)
        self.most_semitones = 0
        self._heard = EncodingCache(self._hear)
        self._kept = KeptEncodings()

    @staticmethod
    def frontend_of(settings: dict[str, Any]) -> PhraseFrontend:
        """Build the frontend from its settings."""
        return PhraseFrontend(**settings)

    @property
    def shifts(self) -> tuple[int, ...]:
        """What is tried beyond the shift that keys say, in semitones."""
        most = self.most_semitones
        return tuple(range(-most, most + (most < 6)))

    @torch.inference_mode()
    def score(self, query: Group, candidates: Sequence[Group]) -> torch.Tensor:
        """Return one number per candidate, (candidates,): at the best place of the best phrases.

        Phrases last 16 bars where both sides have them, else 8, else 4. Sides of different metres,
        and those that have fewer bars, are not compared: their score is `NOTHING`. Each side is
        encoded once, whatever it is compared with.
        """
        scores = torch.full((len(candidates),), NOTHING)
        for leads in (False, True):
            members, pairs = [], []
            for number, candidate in enumerate(candidates):
                length = self._length(query, candidate)
                if length and _leads(candidate, query) is leads:
                    members.append(number)
                    guest = self._encode(candidate, length, leads=leads, shifts=self.shifts)
                    base = self._encode(query, length, leads=not leads)
                    pairs.append((guest, base, range(len(self.shifts))))
            if members:
                found = best_scores(self.network, pairs, self.shifts, guest_leads=leads)
                scores = scores.index_copy(0, torch.tensor(members), found.cpu())
        return scores

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
            if not tempo_bpm(heard.facts) > SLOWEST_BPM:
                raise ConfigError(f"{heard.facts.name} has no tempo: nothing can be laid on it")
        assert base.side is not None and guest.side is not None
        if base.side.beats_per_bar != guest.side.beats_per_bar:
            raise ConfigError(
                f"bars of {guest.facts.name} have {guest.side.beats_per_bar} beats, those of "
                f"{base.facts.name} {base.side.beats_per_bar}: they are not compared"
            )
        move = move_of(guest.facts, base.facts, ANYWHERE)
        assert move is not None  # any ratio may be left
        assert base.bars is not None and guest.bars is not None
        level = move.tempo.level
        length = common_length(base.bars, guest.bars, level, self.frontend.bars)
        if not length:
            raise ConfigError(
                f"{guest.facts.name} and {base.facts.name} have no {min(LENGTHS)} whole bars in a "
                f"row that could meet"
            )
        leads = _leads(candidate, query)
        pair = (
            self._encode(candidate, length, leads=leads, shifts=self.shifts, level=level),
            self._encode(query, length, leads=not leads),
            range(len(self.shifts)),
        )
        (found,) = best_places(self.network, [pair], self.shifts, guest_leads=leads)
        if not found.score > NOTHING / 2:
            raise ConfigError(
                f"{guest.facts.name} or {base.facts.name} is silent: nothing can be laid on silence"
            )
        return placement_of(found, move, guest, base, length)

    def _hear(self, group: Group) -> HeardSide:
        return HeardSide.read(self.network, self.frontend.waves_of(group), self.device)

    def _length(self, query: Group, candidate: Group) -> int:
        """Return how long phrases of two groups are that are heard as they lie; 0: none."""
        base, guest = self._heard(query), self._heard(candidate)
        if base.bars is None or guest.bars is None or base.side is None or guest.side is None:
            return 0
        if base.bars.beats_per_bar != guest.bars.beats_per_bar:
            return 0
        return common_length(base.bars, guest.bars, 1.0, max(LENGTHS))

    def _encode(
        self,
        group: Group,
        length: int,
        *,
        leads: bool,
        shifts: tuple[int, ...] = (0,),
        level: float = 1.0,
    ) -> Encoded:
        """Return what is kept of a group's phrases, or encode them."""
        return self._kept.get(
            (group_key(group), length, leads, shifts, level),
            lambda: encoded(
                self.network, self._heard(group), length, leads=leads, shifts=shifts, level=level
            ),
        )


def _leads(guest: Group, base: Group) -> bool:
    """Return whether the guest leads: it brings the vocal, or the base does not and asks."""
    return VOCAL in guest and VOCAL not in base
