"""What all networks of the stems view share: a context, a target, one vector of each per window.

The score of a pair of windows is an inner product, so n contexts and m targets cost n + m
encodings and one matrix product.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import nn
from torch.nn import functional

from mashnet.data.parts import Group, instrument_of
from mashnet.data.stems.frontend import StemFrontend
from mashnet.models.by_embeddings import ScoresByEmbeddings
from mashnet.models.trained import TrainedScorer

BATCH = 16  # windows per pass
LEAST_S = 2  # shortest sound that every network takes
Batch = Mapping[str, Any]


class StemNetwork(nn.Module):
    """A network that puts contexts and targets into one space.

    Waves are mono at `sample_rate`; the spectrogram is inside. Silence must give finite vectors.
    """

    sample_rate: int  # Hz
    windows_meet: ClassVar[bool]
    """True: window i of a context is compared with window i of a target, and the products are
    averaged. False: vectors are averaged over windows and brought to unit length."""

    whole_windows: ClassVar[bool] = False
    """True: vectors of windows of different lengths cannot be compared, so a last window that ends
    early keeps its silence. False: that silence is cut off."""

    @abstractmethod
    def embed_context(self, waves: torch.Tensor, instruments: Sequence[str]) -> torch.Tensor:
        """Map contexts (batch, samples) to (batch, d).

        Args:
            waves: the context mixes.
            instruments: which instrument is missing from each, free text; "" where unknown.
        """

    @abstractmethod
    def embed_target(self, waves: torch.Tensor) -> torch.Tensor:
        """Map targets (batch, samples) to (batch, d)."""


class ContrastiveNetwork(StemNetwork):
    """A StemNetwork that learns to tell a context's own target from others."""

    @abstractmethod
    def forward(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Return contexts (n, d) and targets (m, d), m ≥ n.

        Target i belongs to context i; further ones are negatives of the network's own making.

        Args:
            batch: `context` and `target` (n, samples), `label` (n strings), `song` (n,).
        """

    @abstractmethod
    def loss(
        self, contexts: torch.Tensor, targets: torch.Tensor, ignore: torch.Tensor
    ) -> torch.Tensor:
        """Return the loss of what `forward` returned.

        Args:
            contexts: (n, d).
            targets: (m, d).
            ignore: (n, m), True for pairs that are no partners but of the same song.
        """


class StemScorer(ScoresByEmbeddings, TrainedScorer):
    """An EmbeddingScorer over any StemNetwork.

    Embeddings have the shape (windows, 1 + d): how much a window counts, then its vector; a
    network whose windows do not meet has one window that counts fully.
    """

    view = "stems"
    roles = ("context", "target")
    probe_s = 4.0
    is_probability = False
    network: StemNetwork
    frontend: StemFrontend

    @staticmethod
    def frontend_of(settings: dict[str, Any]) -> StemFrontend:
        """Build the frontend from its settings."""
        return StemFrontend(**settings)

    def embed_query(self, queries: Sequence[Group]) -> torch.Tensor:
        """Return embeddings of contexts, (n, windows, 1 + d); short ones end in zeros."""
        return _padded([self._embed(query, context=True) for query in queries])

    def embed_candidate(self, candidates: Sequence[Group]) -> torch.Tensor:
        """Return embeddings of targets, (m, windows, 1 + d)."""
        return _padded([self._embed(candidate, context=False) for candidate in candidates])

    def similarity(self, queries: torch.Tensor, candidates: torch.Tensor) -> torch.Tensor:
        """Return the scores of all pairs, (n, m).

        Windows that only one side has, or in which one side is silent, say nothing; a pair
        without any window in common scores 0.
        """
        windows = min(queries.shape[1], candidates.shape[1])
        one, other = queries[:, :windows, 0].sqrt(), candidates[:, :windows, 0].sqrt()
        vectors = one[..., None] * queries[:, :windows, 1:]
        others = other[..., None] * candidates[:, :windows, 1:]
        products = vectors.flatten(1) @ others.flatten(1).T
        evidence = one @ other.T
        return torch.where(evidence > 0, products / evidence.clamp_min(1e-12), 0.0)

    @torch.inference_mode()
    def _embed(self, group: Group, *, context: bool) -> torch.Tensor:
        waves, weights = self.frontend.windows_of(group)
        heard = weights > 0
        if not heard.any():
            heard[0] = True  # an all-silent input still has an embedding, which counts nothing
        vectors = []
        for batch in self._batches(waves[heard], weights[heard]):
            batch = batch.to(self.device)
            if context:
                texts = [instrument_of(group)] * len(batch)
                vectors.append(self.network.embed_context(batch, texts))
            else:
                vectors.append(self.network.embed_target(batch))
        found = torch.cat(vectors).float().cpu()
        if self.network.windows_meet:
            embedding = torch.zeros(len(weights), 1 + found.shape[1])
            embedding[:, 0] = weights
            embedding[heard, 1:] = found
            return embedding
        mean = functional.normalize((weights[heard, None] * found).sum(0), dim=0)
        return torch.cat([(weights.amax() > 0).float()[None], mean])[None]

    def _batches(self, waves: torch.Tensor, weights: torch.Tensor) -> list[torch.Tensor]:
        """Return windows of equal length together; only the last may end earlier.

        Its silent end (unless the network wants whole windows) is cut off in whole seconds, so that
        the few lengths there are agree between a context and a target that end within the same
        second.
        """
        rate = self.frontend.sample_rate
        sounding_s = math.ceil(float(weights[-1]) * waves.shape[1] / rate - 1e-6)
        length = min(waves.shape[1], max(sounding_s, LEAST_S) * rate)
        whole = self.network.whole_windows or length == waves.shape[1]
        if whole or not weights[-1] > 0:
            return list(waves.split(BATCH))
        before = list(waves[:-1].split(BATCH)) if len(waves) > 1 else []
        return [*before, waves[-1:, :length]]


def _padded(embeddings: Sequence[torch.Tensor]) -> torch.Tensor:
    return torch.nn.utils.rnn.pad_sequence(list(embeddings), batch_first=True)
