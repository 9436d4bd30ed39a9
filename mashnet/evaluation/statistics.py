"""Confidence intervals by the percentile bootstrap over songs.

Mixes that share a vocal share their luck, so whole songs are drawn with replacement and every item
of a drawn song comes with it (cluster bootstrap). Two Scorers are compared on the same draws.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

LEVEL = 0.95

Statistic = Callable[..., float]  # one array per column, each of shape (items,) → a number


@dataclass(frozen=True)
class Estimate:
    """A figure, its bootstrap interval and the number of items it rests on.

    The interval is NaN where there is only one song: it says nothing about others.
    """

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Bootstrap:
    """Draws songs with replacement; the same seed draws the same songs."""

    num_resamples: int = 1000
    seed: int = 0

    def estimate(
        self, statistic: Statistic, columns: Sequence[np.ndarray], groups: Sequence[str]
    ) -> Estimate:
        """Estimate a statistic and its 95 % percentile interval.

        Args:
            statistic: takes the columns; may return NaN where it is undefined. Draws in which it
                is are left out of the interval.
            columns: arrays whose first axis is the items.
            groups: the song of each item.

        Raises:
            ValueError: if the columns and groups differ in length or are empty.
        """
        arrays = [np.asarray(column) for column in columns]
        names = np.asarray(groups, dtype=str)
        if not len(names) or any(len(array) != len(names) for array in arrays):
            raise ValueError(
                f"bootstrap needs columns of one length ≥ 1, got "
                f"{[len(a) for a in arrays]} and {len(names)} groups"
            )
        value = float(statistic(*arrays))
        _, codes = np.unique(names, return_inverse=True)
        members = [np.flatnonzero(codes == code) for code in range(codes.max() + 1)]
        if len(members) == 1:
            return Estimate(value, float("nan"), float("nan"), len(names))
        generator = np.random.default_rng(self.seed)
        draws = np.empty(self.num_resamples)
        for index in range(self.num_resamples):
            chosen = generator.integers(len(members), size=len(members))
            items = np.concatenate([members[group] for group in chosen])
            draws[index] = statistic(*(array[items] for array in arrays))
        draws = draws[np.isfinite(draws)]
        if not len(draws):
            return Estimate(value, float("nan"), float("nan"), len(names))
        tail = (1 - LEVEL) / 2
        low, high = np.quantile(draws, [tail, 1 - tail])
        return Estimate(value, float(low), float(high), len(names))

    def difference(
        self,
        statistic: Statistic,
        first: Sequence[np.ndarray],
        second: Sequence[np.ndarray],
        groups: Sequence[str],
    ) -> Estimate:
        """Estimate statistic(first) − statistic(second), both about the same items.

        An interval that contains 0 means: these songs cannot tell the two apart.
        """

        def difference(*columns: np.ndarray) -> float:
            return statistic(*columns[: len(first)]) - statistic(*columns[len(first) :])

        return self.estimate(difference, [*first, *second], groups)


def distinguishable(difference: Estimate) -> bool:
    """Return whether the interval of a difference leaves out 0."""
    return difference.low > 0 or difference.high < 0
