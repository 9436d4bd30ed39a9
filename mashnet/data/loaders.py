"""The DataLoaders of all views: shares of shuffled batches to train on, and items to validate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch.utils.data import DataLoader, Dataset

from mashnet.data.epoch_order import Share, Shuffled, shared_batches


def no_collation(batch: Any) -> Any:
    """Collate nothing, for data sets that read whole batches (`__getitems__`)."""
    return batch


def training_loader(
    dataset: Dataset[Any],
    order: Shuffled,
    *,
    batch_size: int,
    share: Share,
    collate_fn: Callable[[Any], Any],
    num_workers: int,
) -> DataLoader:
    """Return this process's share of every full batch, in an order of its own in every epoch.

    Args:
        dataset: the items.
        order: of the items.
        batch_size: items per step, of all processes together.
        share: which part of a batch this process takes.
        collate_fn: makes a batch of what the data set returns.
        num_workers: processes that read batches; 0 reads in the training process.

    Raises:
        ConfigError: if the processes cannot have equally many items.
    """
    return DataLoader(
        dataset,
        batch_sampler=shared_batches(order, batch_size, share),
        collate_fn=collate_fn,
        num_workers=num_workers,
    )


def validation_loader(
    dataset: Dataset[Any],
    *,
    batch_size: int,
    share: Share,
    num_workers: int,
    collate_fn: Callable[[Any], Any] | None = None,
) -> DataLoader:
    """Return this process's share of the items, in their order, the same in every epoch.

    Args:
        dataset: the items; it has a length.
        batch_size: items per step of this process.
        share: which items this process takes.
        num_workers: processes that read batches; 0 reads in the training process.
        collate_fn: makes a batch of what the data set returns; None: torch's own way.

    Raises:
        ConfigError: if there is not an item for every process.
    """
    count: Any = dataset
    return DataLoader(
        dataset,
        batch_size=batch_size,
        sampler=share.of_validation(len(count)),
        collate_fn=collate_fn,
        num_workers=num_workers,
    )
