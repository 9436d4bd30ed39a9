"""The order of an epoch's items: decided by the seed and the epoch's number alone.

A run resumed at an epoch therefore sees exactly what the undisturbed run would have seen, and
processes that train together see, step by step, what one process would have seen: each takes its
share of every batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from torch.utils.data import BatchSampler, Sampler

from mashnet.errors import ConfigError

T = TypeVar("T")


@dataclass(frozen=True)
class Share:
    """Which part of the examples is for a process.

    Attributes:
        process: its number, from 0.
        processes: how many train together.
    """

    process: int = 0
    processes: int = 1

    def of_batch(self, batch: Sequence[T]) -> Sequence[T]:
        """Return this process's part of a batch: all parts are equally long, in the order."""
        size = len(batch) // self.processes
        return batch[self.process * size : (self.process + 1) * size]

    def of_validation(self, count: int, split: str = "val") -> range:
        """Return this process's items of `count`; the parts differ by one item at most.

        Raises:
            ConfigError: if there is not an item for everybody.
        """
        if count < self.processes:
            raise ConfigError(
                f"the split '{split}' has {count} examples, too few for {self.processes} "
                f"processes: train with at most {count}"
            )
        return range(self.process, count, self.processes)

    def batch_size_of(self, batch_size: int, count: int) -> int:
        """Return how many examples all processes train on in a step.

        Args:
            batch_size: what the user wants.
            count: examples there are; fewer than a batch make one smaller batch.

        Raises:
            ConfigError: if the processes cannot have equally many.
        """
        size = min(batch_size, count)
        if size % self.processes == 0:
            return size
        below = size - size % self.processes
        sizes = [str(below)] if below else []
        if size == batch_size:
            sizes.append(str(below + self.processes))
            reason = f"batch_size={batch_size}, the examples of all processes together,"
        else:
            reason = f"batch_size={batch_size} is more than the {count} examples there are, which"
        advice = f"take {' or '.join(sizes)}" if sizes else "train with fewer processes"
        raise ConfigError(f"{reason} cannot be divided among {self.processes} processes: {advice}")


WHOLE = Share()


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


class SharedBatches(Sampler[list[Any]]):
    """This process's share of every batch of a batch sampler."""

    def __init__(self, batches: Any, share: Share) -> None:
        """Take a batch sampler, whose `sampler` is told the epoch, and the share."""
        self.batches = batches
        self.share = share

    @property
    def sampler(self) -> Any:
        """Return what Lightning tells the epoch."""
        return self.batches.sampler

    def __iter__(self) -> Iterator[list[Any]]:
        """Yield the epoch's shares."""
        return (list(self.share.of_batch(batch)) for batch in self.batches)

    def __len__(self) -> int:
        """Return the number of batches."""
        return len(self.batches)


def shared_batches(items: Shuffled, batch_size: int, share: Share) -> SharedBatches:
    """Return shares of full batches; what would fill none is left out of an epoch.

    Batch normalisation suffers from tiny batches; items that are fewer than a batch make one.

    Raises:
        ConfigError: if the processes cannot have equally many.
    """
    size = share.batch_size_of(batch_size, len(items))
    return SharedBatches(BatchSampler(items, size, drop_last=True), share)
