"""What EmbeddingScorers share: scores of one query come from the matrix of all pairs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch

from mashnet.data.parts import Group


class ScoresByEmbeddings(ABC):
    """An EmbeddingScorer whose `score` is a row of its `similarity`."""

    @abstractmethod
    def embed_query(self, queries: Sequence[Group]) -> torch.Tensor:
        """Return embeddings, shape (n, ...)."""

    @abstractmethod
    def embed_candidate(self, candidates: Sequence[Group]) -> torch.Tensor:
        """Return embeddings, shape (m, ...)."""

    @abstractmethod
    def similarity(self, queries: torch.Tensor, candidates: torch.Tensor) -> torch.Tensor:
        """Return the scores of all pairs, shape (n, m)."""

    def score(self, query: Group, candidates: Sequence[Group]) -> torch.Tensor:
        """Return one number per candidate, shape (candidates,); higher fits better."""
        if not candidates:
            return torch.zeros(0)
        return self.similarity(self.embed_query([query]), self.embed_candidate(candidates))[0]


class SymmetricScores(ScoresByEmbeddings):
    """An EmbeddingScorer that hears both sides in the same way."""

    def embed_candidate(self, candidates: Sequence[Group]) -> torch.Tensor:
        """Return embeddings as `embed_query` does."""
        return self.embed_query(candidates)
