"""The Siamese network of the Neural Loop Combiner: two loops, one encoder, a distance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch.nn import functional

from mashnet.data.parts import Group
from mashnet.models.by_embeddings import SymmetricScores
from mashnet.models.loops.layers import LoopNetwork
from mashnet.models.loops.scoring import LoopScorer, loop_of
from mashnet.models.submix import EncodingCache

MARGIN = 2.0


class LoopSiamese(LoopNetwork):
    """The skeleton twice, with the same weights (Chen et al., ISMIR 2020, section 4).

    Input: `{"a": …, "b": …}`, log-mels (batch, frames, n_mels). Output: Euclidean distances
    (batch,) of the two loops' features; small where they fit.
    """

    inputs = ("a", "b")

    def forward(self, mels: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return distances (batch,)."""
        # Both in one pass: batch normalisation then sees loops of both sides, not two populations.
        features = self.skeleton(torch.cat([mels["a"], mels["b"]]))
        one, other = features.chunk(2)
        return functional.pairwise_distance(one, other)

    @staticmethod
    def loss(distances: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the contrastive loss (Hadsell et al., CVPR 2006) with margin 2.

        Args:
            distances: (batch,).
            labels: 1 for pairs that fit, which are drawn together; 0 for others, which are
                pushed apart until they are as far as the margin.
        """
        fit = labels.to(distances.dtype)
        apart = functional.relu(MARGIN - distances)
        return 0.5 * (fit * distances.square() + (1 - fit) * apart.square()).mean()

    @staticmethod
    def scores(distances: torch.Tensor) -> torch.Tensor:
        """Return how well pairs fit, (batch,); above 0, nearer than half the margin, they do."""
        return MARGIN / 2 - distances


class LoopSiameseScorer(SymmetricScores, LoopScorer):
    """An EmbeddingScorer: each loop is encoded once; a score is 1 - distance / margin.

    Above 0.5 a pair is judged to fit; it is no probability.
    """

    network_class = LoopSiamese
    is_probability = False
    network: LoopSiamese

    def __init__(self, *args: object, **settings: object) -> None:
        """Take a trained network, its frontend, and what tables call it."""
        super().__init__(*args, **settings)  # type: ignore[arg-type]
        self._encoded: EncodingCache[torch.Tensor] = EncodingCache(self._encode)

    def _encode(self, group: Group) -> torch.Tensor:
        mel = self.frontend.log_mel_of([loop_of(group)], self.device)
        return self.network.skeleton(mel[None])[0]

    @torch.inference_mode()
    def embed_query(self, queries: Sequence[Group]) -> torch.Tensor:
        """Return features, (n, 16)."""
        return torch.stack([self._encoded({"loop": loop_of(query)}) for query in queries])

    def similarity(self, queries: torch.Tensor, candidates: torch.Tensor) -> torch.Tensor:
        """Return the scores of all pairs, (n, m)."""
        # Without the shortcut for many rows, a score does not depend on what else is scored.
        exact = "donot_use_mm_for_euclid_dist"
        return 1 - torch.cdist(queries, candidates, compute_mode=exact) / MARGIN
