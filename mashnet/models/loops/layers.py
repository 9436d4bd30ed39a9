"""The skeleton that both loop networks share (Chen et al., ISMIR 2020, section 4)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from mashnet.errors import ConfigError

DROPOUT = 0.1


class Skeleton(nn.Module):
    """Two convolutions and three dense layers: (batch, frames, mels) → (batch, dense[-1]).

    The maps keep their size, so the first dense layer, over all of them, has nearly all of the
    weights (22.6 of 22.7 M at the published size) and hears one length of input only.
    """

    def __init__(
        self, *, frames: int, n_mels: int, filters: Sequence[int], dense: Sequence[int]
    ) -> None:
        """Name the input's shape and the sizes; the paper has filters 16, 4 and dense 256, 128, 16.

        Raises:
            ConfigError: if there are not two convolutions and three dense layers.
        """
        super().__init__()
        if len(filters) != 2 or len(dense) != 3:
            raise ConfigError(f"filters={list(filters)} must be two, dense={list(dense)} three")
        self.frames, self.n_mels = frames, n_mels
        first, second = filters
        self.convolutions = nn.Sequential(_convolution(1, first), _convolution(first, second))
        self.dense = nn.Sequential(
            nn.Flatten(),
            nn.Linear(second * frames * n_mels, dense[0]),
            nn.BatchNorm1d(dense[0]),
            nn.PReLU(),
            nn.Linear(dense[0], dense[1]),
            nn.BatchNorm1d(dense[1]),
            nn.PReLU(),
            nn.Linear(dense[1], dense[2]),
        )

    def forward(self, mels: torch.Tensor) -> torch.Tensor:
        """Return features, (batch, dense[-1]), of log-mels (batch, frames, mels).

        Raises:
            ValueError: if the input has another length or other bands than the dense layer.
        """
        if mels.shape[1:] != (self.frames, self.n_mels):
            raise ValueError(
                f"the network hears {self.frames} frames × {self.n_mels} mels, "
                f"got {' × '.join(map(str, mels.shape[1:]))}: its dense layer has one length"
            )
        return self.dense(self.convolutions(mels.unsqueeze(1)))


class LoopNetwork(nn.Module):
    """A network of loops: the skeleton, and what each makes of its features."""

    def __init__(
        self,
        *,
        frames: int = 173,
        n_mels: int = 128,
        filters: Sequence[int] = (16, 4),
        dense: Sequence[int] = (256, 128, 16),
    ) -> None:
        """Set the sizes; the defaults are the paper's (scale=paper).

        Args:
            frames: of a loop's log-mel; all loops have this length.
            n_mels: bands.
            filters: of the two convolutions.
            dense: outputs of the three dense layers.

        Raises:
            ConfigError: if there are not two convolutions and three dense layers.
        """
        super().__init__()
        self.skeleton = Skeleton(frames=frames, n_mels=n_mels, filters=filters, dense=dense)


class Dropout(nn.Module):
    """Drops a tenth of the values, as nn.Dropout does, at a fifth of its cost on CPU.

    There torch draws every value's fate with a random number of its own, on one core, which is a
    quarter of a training step; here one number of 64 bits decides on four.
    """

    process, processes, sides = 0, 1, 1

    def sees(self, process: int, processes: int, sides: int) -> None:
        """Tell which part of a batch the layer sees, so that its draws are those for that part.

        Args:
            process: number of this one among those that train together.
            processes: how many share every batch, equally.
            sides: parts of its input that hold a whole share each, one below the other.
        """
        self.process, self.processes, self.sides = process, processes, sides

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return x with values dropped and the rest scaled up in training, else x itself.

        Args:
            x: any shape, dense in memory.
        """
        if not self.training or x.device.type != "cpu":
            return functional.dropout(x, DROPOUT, self.training)
        count = x.numel() * self.processes
        numbers = torch.empty(-(-count // 4), dtype=torch.int64).random_(-(2**63), None)
        shares = numbers.view(torch.int16)[:count].view(self.sides, self.processes, -1)
        draws = shares[:, self.process].flatten().as_strided(x.shape, x.stride())
        kept = draws >= round(DROPOUT * 2**16) - 2**15
        return x * (kept.to(x.dtype) / (1 - DROPOUT))


def _convolution(inputs: int, filters: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, filters, 3, padding=1),
        Dropout(),
        nn.BatchNorm2d(filters),
        nn.PReLU(),
    )
