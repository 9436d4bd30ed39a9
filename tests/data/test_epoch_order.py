"""Shares of an epoch: together they are what one process would see, and each item comes once."""

from itertools import chain

import pytest
from torch.utils.data import DataLoader

from mashnet.data.epoch_order import EpochSampler, Share, Shuffled, shared_batches
from mashnet.errors import ConfigError


def shares(processes: int, *, count: int = 14, batch_size: int = 6, epoch: int = 2) -> list[list]:
    found = []
    for process in range(processes):
        batches = shared_batches(Shuffled(count, seed=5), batch_size, Share(process, processes))
        batches.sampler.set_epoch(epoch)
        found.append(list(batches))
        assert len(batches) == len(found[-1])
    return found


@pytest.mark.parametrize("processes", [2, 3])
def test_shares_of_a_step_are_the_batch_of_one_process(processes: int) -> None:
    """14 items in batches of 6: two batches, and the same two items wait for another epoch."""
    (alone,) = shares(1)
    assert [len(batch) for batch in alone] == [6, 6]
    together = [list(chain(*parts)) for parts in zip(*shares(processes), strict=True)]
    assert together == alone
    assert len({item for batch in alone for item in batch}) == 12
    order = Shuffled(14, seed=5)
    order.set_epoch(2)
    assert list(chain(*alone)) == list(order)[:12]


def test_over_epochs_nothing_is_left_out_for_good() -> None:
    seen = {item for epoch in range(8) for batch in shares(1, epoch=epoch)[0] for item in batch}
    assert seen == set(range(14))


def test_fewer_items_than_a_batch_make_one() -> None:
    assert [len(batch) for batch in shares(1, count=4)[0]] == [4]
    assert [[len(batch) for batch in own] for own in shares(2, count=4)] == [[2], [2]]


def test_lightning_reaches_what_counts_the_epochs() -> None:
    batches = shared_batches(EpochSampler(4, seed=1), 2, Share(1, 2))
    loader = DataLoader(range(4), batch_sampler=batches)  # type: ignore[arg-type]
    loader.batch_sampler.sampler.set_epoch(3)  # type: ignore[union-attr]
    assert [epoch for batch in batches for epoch, _ in batch] == [3, 3]


@pytest.mark.parametrize(
    ("batch_size", "count", "processes", "message"),
    [
        (4, 100, 3, r"batch_size=4, the examples of all processes together, .* take 3 or 6"),
        (2, 100, 3, r"cannot be divided among 3 processes: take 3$"),
        (8, 5, 2, r"batch_size=8 is more than the 5 examples there are, .* take 4$"),
        (8, 1, 2, r"the 1 examples .* train with fewer processes"),
    ],
)
def test_what_cannot_be_divided_is_refused(batch_size, count, processes, message) -> None:
    with pytest.raises(ConfigError, match=message):
        shared_batches(Shuffled(count, 0), batch_size, Share(0, processes))


def test_every_validation_item_is_for_one_process() -> None:
    parts = [Share(process, 3).of_validation(7) for process in range(3)]
    assert [list(part) for part in parts] == [[0, 3, 6], [1, 4], [2, 5]]
    with pytest.raises(ConfigError, match="'val' has 2 examples, too few for 3 processes"):
        Share(0, 3).of_validation(2)
