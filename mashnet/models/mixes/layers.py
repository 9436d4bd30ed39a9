"""What PreMixNet and PostMixNet are made of (Huang et al., AAAI 2021, section 4).

Conventions: feature maps are (batch, filters, frames, mels). Every convolution is padded so that
it keeps the number of frames, has no bias, and is followed by batch normalisation and ReLU.
"""

from __future__ import annotations

import torch
from torch import nn


def _conv_bn(inputs: int, outputs: int, kernel: tuple[int, int], mel_padding: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, padding=(kernel[0] // 2, mel_padding), bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class ConvBlock2D(nn.Sequential):
    """Conv 3×3, BN, ReLU, twice; then average pooling by two in time."""

    def __init__(self, inputs: int, filters: int) -> None:
        """Name the filters of the input and of both convolutions."""
        super().__init__(
            _conv_bn(inputs, filters, (3, 3), 1),
            _conv_bn(filters, filters, (3, 3), 1),
            nn.AvgPool2d((2, 1), ceil_mode=True),
        )


class SourceNet(nn.Sequential):
    """Two ConvBlock2D: (batch, 1, frames, mels) → (batch, filters[1], frames / 4, mels)."""

    def __init__(self, filters: tuple[int, int]) -> None:
        """Name the filters of the two blocks; the paper has 64 and 128."""
        super().__init__(ConvBlock2D(1, filters[0]), ConvBlock2D(filters[0], filters[1]))


class JointHead(nn.Module):
    """ConvBlock1D over concatenated source maps, pooling over time, two dense layers.

    The first convolution spans all mels, kernel (3, mels). It is kept as one weight over the
    concatenated sources, and `share` applies one source's slice of it: a convolution over
    concatenated filters is the sum of the convolutions over each, which is what makes ranking
    cheap (`forward(sum of shares)` equals the plain pass).
    """

    def __init__(
        self, *, sources: int, source_filters: int, n_mels: int, filters: int, dense: int
    ) -> None:
        """Name the number of concatenated sources and the sizes; the paper has 256 and 128."""
        super().__init__()
        self.sources = sources
        self.source_filters = source_filters
        self.spanning = nn.Conv2d(
            sources * source_filters, filters, (3, n_mels), padding=(1, 0), bias=False
        )
        self.after_spanning = nn.Sequential(nn.BatchNorm2d(filters), nn.ReLU())
        self.second = _conv_bn(filters, filters, (3, 1), 0)
        self.pool = nn.AvgPool2d((2, 1), ceil_mode=True)
        self.dense = nn.Sequential(nn.Linear(filters, dense), nn.ReLU(), nn.Linear(dense, 2))

    def share(self, source: int, maps: torch.Tensor) -> torch.Tensor:
        """Map a source's maps (batch, source_filters, frames, mels) to (batch, filters, frames)."""
        first = source * self.source_filters
        weight = self.spanning.weight[:, first : first + self.source_filters]
        return nn.functional.conv2d(maps, weight, padding=(1, 0)).squeeze(-1)

    def forward(self, shares: torch.Tensor) -> torch.Tensor:
        """Map summed shares (batch, filters, frames) to logits (batch, 2): [does not fit, fits]."""
        x = self.pool(self.second(self.after_spanning(shares.unsqueeze(-1)))).squeeze(-1)
        # The paper's sentence on pooling is ambiguous; maximum plus mean is PANNs' reading of it.
        return self.dense(x.amax(-1) + x.mean(-1))
