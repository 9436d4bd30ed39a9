"""The interface of executors: a function applied to many items, results in their order."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from threadpoolctl import threadpool_limits

from mashnet.progress import Progress

Item = TypeVar("Item")
Result = TypeVar("Result")

DIED = "the process that worked on it was killed twice, most likely for want of memory"


@dataclass(frozen=True)
class Work(Generic[Item, Result]):
    """A function and what it is applied to; `Executor.each` says what the fields are."""

    function: Callable[[Item], Result]
    items: Sequence[Item]
    died: Callable[[Item], Result]
    on_gpu: bool


class Executor(ABC):
    """Applies a function to items. The results do not depend on which executor does it."""

    def each(
        self,
        function: Callable[[Item], Result],
        items: Sequence[Item],
        *,
        died: Callable[[Item], Result],
        on_gpu: bool = False,
    ) -> Iterator[Result]:
        """Yield a function's results in the order of the items.

        Work runs ahead of who takes the results by a bounded number of items, so that memory does
        not grow where results are made faster than they are used.

        Args:
            function: a function of a module (processes import it by name).
            items: picklable items.
            died: the result for an item on which two workers in a row were killed.
            on_gpu: whether each worker takes a whole GPU, where there are any.

        Raises:
            Exception: what the function raised; work that has begun is then given up.
        """
        return self._results(Work(function, items, died, on_gpu))

    @abstractmethod
    def _results(self, work: Work[Item, Result]) -> Iterator[Result]:
        """Yield the results of some work in the order of its items; see `each`."""

    def run(
        self,
        function: Callable[[Item], Result],
        items: Sequence[Item],
        *,
        label: str,
        died: Callable[[Item], Result],
        unit: str = "song",
        on_gpu: bool = False,
    ) -> list[Result]:
        """Return all results in the order of the items, with a progress bar; see `each`.

        Args:
            function: as in `each`.
            items: as in `each`.
            label: what the progress bar says.
            died: as in `each`.
            unit: what an item is called.
            on_gpu: as in `each`.
        """
        results = self.each(function, items, died=died, on_gpu=on_gpu)
        hidden = not items
        return list(Progress(results, desc=label, total=len(items), unit=unit, hidden=hidden))


def in_order(
    count: int, ahead: int, begin: Callable[[int], None], end: Callable[[int], Result]
) -> Iterator[Result]:
    """Begin work on items in order, at most `ahead` of the one that is waited for.

    Args:
        count: how many items.
        ahead: how many may have begun and not been taken.
        begin: begins item i.
        end: waits for item i and returns its result.
    """
    following = 0
    for index in range(count):
        while following < min(count, index + ahead):
            begin(following)
            following += 1
        yield end(index)


def in_one_thread(function: Callable[[Item], Result], item: Item) -> Result:
    """Apply a function to an item on one core, whatever the numerical libraries were told.

    A worker has one core, and sums that are split over threads differ in their last bits.
    """
    with threadpool_limits(1):
        return function(item)
