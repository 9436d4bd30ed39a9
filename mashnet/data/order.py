"""In which order an epoch goes through its items: decided by the seed and the epoch alone.

A run resumed at an epoch therefore sees exactly what the undisturbed run would have seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from torch.utils.data import Sampler


class Shuffled(Sampler[Any]):
    """Yields every index once per epoch."""

    def __init__(self, size: int, seed: int) -> None:
        """Name the number of items and the run's seed."""
        self.size = size
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Tell which epoch comes next; Lightning calls this."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[Any]:
        """Yield the epoch's order."""
        return iter(np.random.default_rng([self.seed, self.epoch]).permutation(self.size).tolist())

    def __len__(self) -> int:
        """Return the number of items."""
        return self.size


class EpochSampler(Shuffled):
    """Yields (epoch, index), for items that are drawn anew in every epoch."""

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Yield the epoch's order."""
        return ((self.epoch, index) for index in super().__iter__())
