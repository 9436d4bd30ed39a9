"""What PreMixNet and PostMixNet share as Scorers: whole files in, one mashability per group out.

A group's score is the posterior of each window, averaged over consecutive windows that cover
the whole input, weighted by how far each is filled. Nothing is drawn at random and nothing
depends on what else is scored beside it.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch

from mashnet.data.mixes.frontend import MixFrontend
from mashnet.data.parts import Group, Part
from mashnet.data.roles import ACCOMPANIMENT, ROLES
from mashnet.errors import ConfigError
from mashnet.models.trained import TrainedScorer

WINDOWS_PER_BATCH = 32


def complete(query: Group, candidate: Group) -> dict[str, Part]:
    """Join a query and a candidate into a group with every role once.

    Raises:
        ConfigError: if the music is one accompaniment, which says how to take it apart.
        ValueError: naming the role that is missing or brought twice.
    """
    if ACCOMPANIMENT in {**query, **candidate}:
        raise ConfigError(
            "this network hears harmonic and percussion apart, and there is one accompaniment. "
            "Demucs takes it apart: python -m data_pipelines.mashupdb source=songs "
            "source.root=FOLDER separate.model=htdemucs. Or take a Scorer that hears it as it is "
            "(alignnet, phalar, cocola, alignment)"
        )
    twice = sorted(set(query) & set(candidate))
    group = {**query, **candidate}
    missing = [role for role in ROLES if role not in group]
    unknown = sorted(set(group) - set(ROLES))
    if twice or missing or unknown:
        raise ValueError(
            f"a mix needs each of {', '.join(ROLES)} once: missing {missing}, "
            f"brought by both sides {twice}, unknown {unknown}"
        )
    return group


class MixScorer(TrainedScorer):
    """What both networks for mixes need."""

    view = "mixes"
    roles = ROLES
    probe_s = 7.0
    is_probability = True
    frontend: MixFrontend

    @staticmethod
    def frontend_of(settings: dict[str, Any]) -> MixFrontend:
        """Build the frontend from its settings."""
        return MixFrontend(**settings)

    @abstractmethod
    def score(self, query: Group, candidates: Sequence[Group]) -> torch.Tensor:
        """Return the mashability of each candidate with the query, (candidates,), in [0, 1]."""
