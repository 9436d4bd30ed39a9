"""PHALAR: two submixes of one song fit where their slow oscillations are in phase."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from mashnet.audio.cqt import ConstantQ
from mashnet.models.stems.phalar_layers import (
    TINY,
    ComplexDropout,
    ComplexLinear,
    ComplexRmsNorm,
    ModReLU,
    SeparableBlock,
    SpectralPooling,
)
from mashnet.models.stems.scoring import Batch, ContrastiveNetwork, StemScorer

GROWTH = 1.5  # channels, each time the frames are halved
START = 10.0  # an untrained pair scores this times the cosine of its vectors


class Phalar(ContrastiveNetwork):
    """One encoder for both sides, and a complex bilinear form (Marincione et al., ICML 2026).

    Constant-Q levels go through pairs of separable blocks, the first of each pair halving the
    frames; frames become features, features a few complex oscillations, these a complex vector
    of unit length. A pair scores Re(xᴴWy), which is the inner product of two real vectors.

    A vector describes when things happen within its window, so windows meet: window i of one
    side is compared with window i of the other, and the scores are averaged. (The published
    code makes one vector of a sound of any length, whose oscillations grow slower with it,
    beyond the 10 s at which training ended.)

    W starts at a multiple of the identity, where the published one is random: that found 44 %
    of partners among 64 instead of 25 %, after 300 batches of 16 real songs at small sizes.
    """

    windows_meet = True
    whole_windows = True  # oscillations are counted per window

    def __init__(
        self,
        *,
        width: int = 8,
        depth: int = 5,
        features: int = 80,
        components: int = 8,
        dimensions: int = 512,
        dropout: float = 0.1,
        hermitian: bool = True,
        centred: bool = True,
        partner_share: float = 0.9,
        recompute: bool = True,
        **constant_q: Any,
    ) -> None:
        """Set the sizes; the defaults are the published ones.

        Args:
            width: channels of the first block.
            depth: pairs of blocks; each makes half as many frames with 1.5 times the channels.
            features: of a frame, before the Fourier transform over time.
            components: slowest oscillations that are kept of each feature.
            dimensions: of the complex vector.
            dropout: share of channels, and later of complex numbers, dropped in training.
            hermitian: use (W + Wᴴ) / 2, so that a score is the same both ways round. Published
                scores do; published training uses W as it is, with contexts on its side.
            centred: pad windows of too few frames on both sides.
            partner_share: probability that the loss wants for the partner; the rest is shared
                by all others.
            recompute: in training, keep only what goes into each block and compute the rest
                again for the gradients: a fraction of the memory for a third more time.
            constant_q: settings of `ConstantQ`, whose defaults are the published ones, too.

        Raises:
            ConfigError: if the highest bin lies above half the sample rate.
            TypeError: if `constant_q` names a setting that there is not.
        """
        super().__init__()
        self.hermitian = hermitian
        self.partner_share = partner_share
        self.recompute = recompute
        self.levels = ConstantQ(**constant_q)
        self.sample_rate = self.levels.sample_rate
        self.entry = nn.Conv2d(1, width, 1, bias=False)
        nn.init.xavier_normal_(self.entry.weight)
        self.blocks = nn.ModuleList()
        for _ in range(depth):
            wider = int(width * GROWTH)
            self.blocks.append(SeparableBlock(width, wider, dropout=dropout))
            self.blocks.append(SeparableBlock(wider, None, dropout=dropout))
            width = wider
        self.pooling = SpectralPooling(
            width * self.levels.bins, features, components, centred=centred
        )
        self.head = nn.Sequential(
            ComplexDropout(dropout),
            ComplexLinear(features * components, dimensions),
            ComplexRmsNorm(dimensions),
            ModReLU(dimensions),
            ComplexLinear(dimensions, dimensions),
        )
        self.bilinear = ComplexLinear(dimensions, dimensions)
        nn.init.zeros_(self.bilinear.weight)
        with torch.no_grad():
            self.bilinear.weight[0].fill_diagonal_(START)

    def encode(self, waves: torch.Tensor) -> torch.Tensor:
        """Map waves (batch, samples) to real vectors (batch, 2 × dimensions) of unit length.

        The real parts come first. The length of a vector is only almost one, and that of
        silence zero: a small constant is added under the root.
        """
        maps = self.entry(self.levels(waves)[:, None])
        for block in self.blocks:
            if self.training and self.recompute:
                maps = checkpoint(block, maps, use_reentrant=False)
            else:
                maps = block(maps)
        vectors = self.head(self.pooling(maps)).flatten(1).float()
        return vectors / (vectors.square().sum(1, keepdim=True) + TINY).sqrt()

    def embed_context(self, waves: torch.Tensor, instruments: Sequence[str]) -> torch.Tensor:
        """Return W times the contexts' vectors, (batch, 2 × dimensions); no text is needed."""
        return self._weighted(self.encode(waves))

    def embed_target(self, waves: torch.Tensor) -> torch.Tensor:
        """Return the targets' vectors, (batch, 2 × dimensions)."""
        return self.encode(waves)

    def forward(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Return contexts and targets, each (n, 2 × dimensions)."""
        contexts, targets = self.encode(torch.cat([batch["context"], batch["target"]])).chunk(2)
        return self._weighted(contexts), targets

    def loss(
        self, contexts: torch.Tensor, targets: torch.Tensor, ignore: torch.Tensor
    ) -> torch.Tensor:
        """Return the smoothed cross-entropy of finding each context's target among all.

        Args:
            contexts: (n, d).
            targets: (m, d), m ≥ n.
            ignore: (n, m), True for pairs that stand neither for a partner nor for another.
        """
        with torch.autocast(contexts.device.type, enabled=False):
            similarities = contexts @ targets.T
        partners = torch.eye(*similarities.shape, dtype=torch.bool, device=similarities.device)
        others = ~(partners | ignore)
        chances = similarities.masked_fill(~(partners | others), -torch.inf).log_softmax(1)
        partner = chances.diagonal()
        count = others.sum(1)
        rest = chances.masked_fill(~others, 0.0).sum(1) / count.clamp_min(1)
        share = torch.where(count > 0, self.partner_share, 1.0)
        return -(share * partner + (1 - share) * rest).mean()

    def _weighted(self, vectors: torch.Tensor) -> torch.Tensor:
        """Return W times vectors (batch, 2 × dimensions): Re((Wx)ᴴy) is its product with y."""
        matrix = self.bilinear.as_real()
        if self.hermitian:  # the conjugate transpose is the transpose of the real form
            matrix = (matrix + matrix.T) / 2
        with torch.autocast(vectors.device.type, enabled=False):
            return functional.linear(vectors, matrix)


class PhalarScorer(StemScorer):
    """An EmbeddingScorer; scores are real numbers around 0, and no probabilities."""

    network_class = Phalar
    network: Phalar
