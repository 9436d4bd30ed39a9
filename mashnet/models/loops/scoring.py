"""What both loop networks share as Scorers: two loops in, one number out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch

from mashnet.data.loops.frontend import LoopFrontend
from mashnet.data.parts import Group, Part
from mashnet.models.trained import TrainedScorer

BATCH = 64  # log-mels per pass


def loop_of(group: Group) -> Part:
    """Return the one loop of a group, whatever its role is called.

    Raises:
        ValueError: if there is not exactly one.
    """
    if len(group) != 1:
        raise ValueError(f"a loop is judged with one other loop; got roles {sorted(group)}")
    return next(iter(group.values()))


class LoopScorer(TrainedScorer):
    """What both networks for loops need."""

    view = "loops"
    roles = ("loop_a", "loop_b")
    probe_s = 2.0
    frontend: LoopFrontend

    @staticmethod
    def frontend_of(settings: dict[str, Any]) -> LoopFrontend:
        """Build the frontend from its settings."""
        return LoopFrontend(**settings)

    @abstractmethod
    def score(self, query: Group, candidates: Sequence[Group]) -> torch.Tensor:
        """Return how well each candidate loop fits the query loop, (candidates,)."""
