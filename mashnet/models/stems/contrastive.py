"""Contrastive pretraining of the encoder: the context's embedding against the missing stem's.

Riou et al., "Zero-shot Musical Stem Retrieval with Joint-Embedding Predictive Architectures"
(ICASSP 2025), phase 1. What the paper leaves open is read as in CLIP (Radford et al., ICML 2021):
the loss asks in both directions, and the temperature begins at 0.07 and stays above 0.01.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import nn
from torch.nn import functional

from mashnet.models.stems.scoring import Batch, ContrastiveNetwork, StemScorer
from mashnet.models.stems.vit import SAMPLE_RATE, Vit

_START_SCALE, _MAX_SCALE = 1 / 0.07, 100.0  # one over the temperature


class Contrastive(ContrastiveNetwork):
    """One ViT for both sides; an embedding is the mean over its patches, of unit length.

    The instrument is not asked for: whatever fits the context is wanted.
    """

    sample_rate = SAMPLE_RATE
    windows_meet: ClassVar[bool] = False

    def __init__(self, *, width: int = 768, depth: int = 12, recompute: bool = False) -> None:
        """Set the sizes of the encoder; the defaults are the paper's ViT-Base (scale=paper).

        Args:
            width: of a token, a multiple of 64.
            depth: number of transformer blocks.
            recompute: train in less memory and more time (`Vit`): every pair of a batch is
                compared with every other, so smaller batches added up would be another loss.

        Raises:
            ConfigError: if these are impossible.
        """
        super().__init__()
        self.encoder = Vit(width=width, depth=depth, recompute=recompute)
        self.log_scale = nn.Parameter(torch.tensor(math.log(_START_SCALE)))

    def forward(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Return contexts and targets, both (n, width) and of unit length."""
        both = self._embed(torch.cat([batch["context"], batch["target"]]))
        contexts, targets = both.chunk(2)
        return contexts, targets

    def loss(
        self, contexts: torch.Tensor, targets: torch.Tensor, ignore: torch.Tensor
    ) -> torch.Tensor:
        """Return InfoNCE of cosine similarities, the mean of both directions.

        Every context picks its target among all m; each of the first n targets picks its context
        among all n. Ignored pairs are in no choice.
        """
        # Beyond the bound a clamp would give no gradient, and the scale would never come back.
        with torch.no_grad():
            self.log_scale.clamp_(0.0, math.log(_MAX_SCALE))
        with torch.autocast(contexts.device.type, enabled=False):
            cosines = (
                functional.normalize(contexts.float()) @ functional.normalize(targets.float()).T
            )
            logits = (self.log_scale.exp() * cosines).masked_fill(ignore, -math.inf)
        count = len(contexts)
        own = torch.arange(count, device=logits.device)
        forth = functional.cross_entropy(logits, own)
        back = functional.cross_entropy(logits[:, :count].T, own)
        return (forth + back) / 2

    def embed_context(self, waves: torch.Tensor, instruments: Sequence[str]) -> torch.Tensor:
        """Return embeddings of contexts, (batch, width), of unit length."""
        return self._embed(waves)

    def embed_target(self, waves: torch.Tensor) -> torch.Tensor:
        """Return embeddings of targets, (batch, width), of unit length."""
        return self._embed(waves)

    def _embed(self, waves: torch.Tensor) -> torch.Tensor:
        return functional.normalize(self.encoder(waves).mean(1), dim=-1)


class ContrastiveScorer(StemScorer):
    """Cosine of two embeddings, each the mean over the windows of its side."""

    network_class = Contrastive
