"""Networks of others that make one vector of a few seconds, as judges of fit by the cosine.

They hear whether two sounds are alike rather than whether they fit. The published comparison
(AutoMashup) used the first 10 s of a song only; here windows cover the whole input, silent ones
left out, and their vectors are averaged.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional

from mashnet.data.parts import Group
from mashnet.data.stems.frontend import StemFrontend
from mashnet.models.by_embeddings import SymmetricScores
from mashnet.models.submix import EncodingCache


class SoundEmbeddingScorer(SymmetricScores):
    """An EmbeddingScorer over vectors of windows; scores lie in [-1, 1]."""

    name: str

    def __init__(self, frontend: StemFrontend, dimension: int) -> None:
        """Say how sound is cut, and how long a vector is."""
        self.frontend = frontend
        self.dimension = dimension
        self._encoded: EncodingCache[torch.Tensor] = EncodingCache(self._encode)

    def embed_query(self, queries: Sequence[Group]) -> torch.Tensor:
        """Return vectors of unit length, (n, d)."""
        return torch.stack([self._encoded(query) for query in queries])

    def similarity(self, queries: torch.Tensor, candidates: torch.Tensor) -> torch.Tensor:
        """Return the scores of all pairs, (n, m)."""
        return queries @ candidates.T

    @abstractmethod
    def hear(self, samples: np.ndarray) -> torch.Tensor:
        """Return the vector (d,) of the samples of a window or less, (samples,)."""

    @torch.inference_mode()
    def _encode(self, group: Group) -> torch.Tensor:
        waves, weights = self.frontend.windows_of(group)
        total = torch.zeros(self.dimension)
        # One window at a time: what else is in a batch must not matter, and windows are few.
        for wave, weight in zip(waves, weights.tolist(), strict=True):
            if weight > 0:
                heard = wave[: round(weight * len(wave))].numpy()
                total += weight * functional.normalize(self.hear(heard), dim=0)
        return functional.normalize(total, dim=0)
