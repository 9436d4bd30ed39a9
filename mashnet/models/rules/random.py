"""The Scorer that does not listen: what every figure has to beat."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from mashnet.data.parts import Group
from mashnet.files import content_id


class RandomScorer:
    """A number in [0, 1) from a hash of the parts: the same mix always gets the same score.

    Attributes:
        judges_unmoved: it may be asked about anything.
    """

    name = "random"
    judges_unmoved = True

    def __init__(self, *, seed: int = 0) -> None:
        """Fix the seed; another seed is another random Scorer."""
        self.seed = seed

    def score(self, query: Group, candidates: Sequence[Group]) -> torch.Tensor:
        """Return one number per candidate, shape (candidates,)."""
        return torch.tensor([self._number(query, candidate) for candidate in candidates])

    def _number(self, query: Group, candidate: Group) -> float:
        sides = [
            sorted((role, part.part_id) for role, part in side.items())
            for side in (query, candidate)
        ]
        return int(content_id(self.seed, *sides)[:13], 16) / 2**52
