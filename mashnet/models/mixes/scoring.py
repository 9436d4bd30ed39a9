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
from mashnet.data.roles import ROLES
from mashnet.models.trained import TrainedScorer

WINDOWS_PER_BATCH = 32


def complete(query: Group, candidate: Group) -> dict[str, Part]:
    """Join a query and a candidate into a group with every role once.

    Raises:
        ValueError: naming the role that is missing or brought twice.
    """
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
