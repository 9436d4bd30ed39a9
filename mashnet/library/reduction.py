"""Vectors of phrases made short, so that their products stay what they are as well as possible.

A score is a lead's vector times a backing's. Of all pairs of linear maps to d numbers, those are
taken whose products are nearest to the scores of a sample of both, in least squares: the singular
vectors of the sample's matrix of scores (Eckart and Young 1936). A principal component analysis of
each side would keep what varies most, whether or not the other side can meet it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

DIMENSIONS = 128
_SAMPLE = 3000  # phrases of each side that maps are fitted to
_PASSES = 4  # of the subspace iteration
_SPARE = 32


@dataclass(frozen=True, eq=False)
class Reduction:
    """Two linear maps.

    Attributes:
        of_lead: (numbers, d).
        of_backing: likewise.
    """

    of_lead: torch.Tensor
    of_backing: torch.Tensor

    @classmethod
    def fit(
        cls, lead: torch.Tensor, backing: torch.Tensor, *, dimensions: int = DIMENSIONS
    ) -> Reduction:
        """Fit maps to vectors of both sides.

        Args:
            lead: (n, numbers); at most so many as suffice are looked at.
            backing: (m, numbers).
            dimensions: of the short vectors; fewer where the sample or the vectors have fewer.
        """
        lead, backing = _some(lead), _some(backing)
        scores = lead @ backing.T
        rank = min(dimensions, *scores.shape)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            wide = min(rank + _SPARE, *scores.shape)
            left, strength, right = torch.svd_lowrank(scores, q=wide, niter=_PASSES)
            # Turned, so that no number says more than another: an index gives all equal space.
            turn = torch.linalg.qr(torch.randn(rank, rank, dtype=scores.dtype))[0]
        scale = strength[:rank].clamp_min(1e-6 * float(strength.max().clamp_min(1e-12))).sqrt()
        of_lead, of_backing = backing.T @ right[:, :rank] / scale, lead.T @ left[:, :rank] / scale
        return cls(of_lead @ turn, of_backing @ turn)


def _some(vectors: torch.Tensor) -> torch.Tensor:
    """Return evenly spaced rows, no more than are looked at."""
    if len(vectors) <= _SAMPLE:
        return vectors
    return vectors[torch.linspace(0, len(vectors) - 1, _SAMPLE).long()]
