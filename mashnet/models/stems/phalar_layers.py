"""What PHALAR is made of (Marincione et al., ICML 2026): separable blocks, pooling, complex layers.

Conventions: feature maps are (batch, channels, bins, frames). A complex vector is kept as a real
tensor (batch, 2, features), real part first: half-precision training and export know no others.
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional

TINY = 1e-6  # under roots and divisions; the published value, which scores depend on


class Gain(nn.Module):
    """A factor for each channel, zero at first: a block begins as the identity."""

    def __init__(self, channels: int) -> None:
        """Name the channels."""
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(channels))

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Return the maps, each channel times its factor."""
        return maps * self.weight[:, None, None]


def _branch(channels: int, hidden: int, kernel: tuple[int, int], dropout: float) -> nn.Sequential:
    into = nn.Conv2d(channels, hidden, kernel, padding=(kernel[0] // 2, kernel[1] // 2))
    out = nn.Conv2d(hidden, channels, 1, bias=False)
    nn.init.kaiming_normal_(into.weight, nonlinearity="relu")
    assert into.bias is not None
    nn.init.zeros_(into.bias)
    nn.init.xavier_normal_(out.weight)
    return nn.Sequential(
        nn.GroupNorm(channels, channels),  # each channel by itself, over bins and frames
        into,
        nn.SiLU(inplace=True),
        out,
        Gain(channels),
        nn.Dropout2d(dropout),
    )


class SeparableBlock(nn.Module):
    """Three residual branches: along the bins, along time, and at each point.

    With `outputs`, a last convolution halves the frames and changes the number of channels.
    """

    def __init__(self, channels: int, outputs: int | None, *, dropout: float) -> None:
        """Name the channels of the input and, where the frames are halved, of the output."""
        super().__init__()
        self.along_bins = _branch(channels, channels, (3, 1), dropout)
        self.along_time = _branch(channels, channels, (1, 3), dropout)
        self.at_points = _branch(channels, 2 * channels, (1, 1), dropout)
        self.halving: nn.Module = nn.Identity()
        if outputs is not None:
            halving = nn.Conv2d(channels, outputs, (1, 3), (1, 2), (0, 1), bias=False)
            nn.init.xavier_normal_(halving.weight)
            self.halving = halving

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Return maps; half as many frames, rounded up, where the block halves them."""
        maps = maps + self.along_bins(maps)
        maps = maps + self.along_time(maps)
        maps = maps + self.at_points(maps)
        return self.halving(maps)


class SpectralPooling(nn.Module):
    """Each frame to a few features, and the slowest oscillations of these over the frames.

    Unlike a mean, the phases of these oscillations say when something happens: sounds that are
    moved against each other differ by a rotation.
    """

    def __init__(self, inputs: int, features: int, components: int, *, centred: bool) -> None:
        """Fix the sizes.

        Args:
            inputs: channels × bins.
            features: of each frame.
            components: oscillations to keep, from one per window upwards; not the mean.
            centred: short inputs get silence on both sides, not only at the end.
        """
        super().__init__()
        self.components = components
        self.centred = centred
        self.projection = nn.Linear(inputs, features, bias=False)
        nn.init.xavier_normal_(self.projection.weight)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Map (batch, channels, bins, frames) to (batch, 2, features × components)."""
        with torch.autocast(maps.device.type, enabled=False):  # phases are not for 8 bits
            features = self.projection(maps.float().permute(0, 3, 2, 1).flatten(2))
            missing = max(0, 2 * self.components + 3 - features.shape[1])
            before = missing // 2 if self.centred else 0
            padded = functional.pad(features.transpose(1, 2), (before, missing - before))
            spectrum = torch.fft.rfft(padded, norm="ortho")[..., 1 : self.components + 1]
            spectrum = spectrum / (spectrum.abs().mean((1, 2), keepdim=True) + TINY)
            return torch.stack([spectrum.real, spectrum.imag], 1).flatten(2)


class ComplexDropout(nn.Module):
    """Drops complex numbers whole."""

    def __init__(self, share: float) -> None:
        """Name the share that is dropped."""
        super().__init__()
        self.share = share

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """Return (batch, 2, features), in training with some dropped and the rest scaled up."""
        if not self.training:
            return z
        return z * functional.dropout(torch.ones_like(z[:, :1]), self.share)


class ComplexLinear(nn.Module):
    """A complex matrix; `weight` is (2, outputs, inputs), real part first."""

    def __init__(self, inputs: int, outputs: int) -> None:
        """Name the features on both sides."""
        super().__init__()
        bound = 1 / math.sqrt(2 * inputs)
        self.weight = nn.Parameter(torch.empty(2, outputs, inputs).uniform_(-bound, bound))

    def as_real(self) -> torch.Tensor:
        """Return the real matrix (2 outputs, 2 inputs) that does the same to flattened vectors."""
        real, imaginary = self.weight
        upper = torch.cat([real, -imaginary], 1)
        return torch.cat([upper, torch.cat([imaginary, real], 1)])

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """Map (batch, 2, inputs) to (batch, 2, outputs)."""
        return functional.linear(z.flatten(1), self.as_real()).unflatten(1, (2, -1))


class ComplexRmsNorm(nn.Module):
    """Brings the mean power over the features to one, then applies a factor to each."""

    def __init__(self, features: int) -> None:
        """Name the features."""
        super().__init__()
        self.weight = nn.Parameter(torch.ones(features))

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """Return (batch, 2, features)."""
        power = z.square().sum(1, keepdim=True).mean(2, keepdim=True)
        return z / (power + TINY).sqrt() * self.weight


class ModReLU(nn.Module):
    """ReLU of magnitude plus a learned bias; the phase stays (Arjovsky et al., ICML 2016)."""

    def __init__(self, features: int) -> None:
        """Name the features."""
        super().__init__()
        self.bias = nn.Parameter(torch.full((features,), -0.01))

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """Return (batch, 2, features)."""
        magnitude = (z.square().sum(1, keepdim=True) + TINY).sqrt()
        return z * (functional.relu(magnitude + self.bias) / magnitude)
