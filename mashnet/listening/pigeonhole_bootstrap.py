"""Intervals of mean ratings by the pigeonhole bootstrap: both listeners and clips are drawn.

Ratings of one listener share that listener's severity, ratings of one clip share its quality. Each
draw therefore takes listeners with replacement and, independently, clips with replacement; a rating
counts as often as its listener was drawn times as often as its clip was (Owen's pigeonhole
bootstrap). It counts what is left over (one listener's taste in one clip) three times, so that its
intervals are rather too wide than too narrow; a bootstrap over ratings, listeners or clips alone
would be too narrow.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from mashnet.evaluation.statistics import LEVEL, Bootstrap, Estimate


def mean_of(
    values: np.ndarray, participants: np.ndarray, items: np.ndarray, bootstrap: Bootstrap
) -> list[Estimate]:
    """Estimate the mean of each column.

    Args:
        values: shape (ratings, columns).
        participants: of each rating, shape (ratings,).
        items: of each rating, shape (ratings,).
        bootstrap: how many draws, and their seed.

    Returns:
        One estimate per column; without an interval (NaN) where there was one listener or one
        clip only, which says nothing about others.
    """
    weights = _weights(participants, items, bootstrap)
    with np.errstate(invalid="ignore"):
        draws = weights @ values / weights.sum(axis=1, keepdims=True)
    return _estimates(values.mean(axis=0), draws, participants, items)


def difference_of(
    values: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    participants: np.ndarray,
    items: np.ndarray,
    bootstrap: Bootstrap,
) -> list[Estimate]:
    """Estimate mean(first) − mean(second) of each column, on the same drawn listeners and clips.

    Args:
        values: shape (ratings, columns).
        first: which ratings are of the one, bool, shape (ratings,).
        second: which are of the other; a rating may be of both.
        participants: of each rating, shape (ratings,).
        items: of each rating, shape (ratings,).
        bootstrap: how many draws, and their seed.

    Returns:
        One estimate per column; without an interval (NaN) where one side had one listener or one
        clip only: such a clip is in every draw that counts, as if there were no others.
    """
    weights = _weights(participants, items, bootstrap)
    means = []
    for chosen in (first, second):
        of_side = weights * chosen
        with np.errstate(invalid="ignore"):
            means.append(of_side @ values / of_side.sum(axis=1, keepdims=True))
    value = values[first].mean(axis=0) - values[second].mean(axis=0)
    found = _estimates(value, means[0] - means[1], participants, items)
    sides = [(participants[chosen], items[chosen]) for chosen in (first, second)]
    if min(len(np.unique(names)) for side in sides for names in side) < 2:
        return [replace(one, low=math.nan, high=math.nan) for one in found]
    return found


def _weights(participants: np.ndarray, items: np.ndarray, bootstrap: Bootstrap) -> np.ndarray:
    """Return how often each rating counts in each draw, shape (draws, ratings)."""
    generator = np.random.default_rng(bootstrap.seed)
    weights = np.ones((bootstrap.num_resamples, len(participants)))
    for names in (participants, items):
        _, codes = np.unique(names, return_inverse=True)
        count = int(codes.max()) + 1
        times = generator.multinomial(
            count, np.full(count, 1 / count), size=bootstrap.num_resamples
        )
        weights *= times[:, codes]
    return weights


def _estimates(
    value: np.ndarray, draws: np.ndarray, participants: np.ndarray, items: np.ndarray
) -> list[Estimate]:
    n = len(participants)
    draws = draws[np.isfinite(draws).all(axis=1)]
    if min(len(np.unique(participants)), len(np.unique(items))) < 2 or not len(draws):
        return [Estimate(float(one), math.nan, math.nan, n) for one in value]
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(draws, [tail, 1 - tail], axis=0)
    return [
        Estimate(float(one), float(a), float(b), n)
        for one, a, b in zip(value, low, high, strict=True)
    ]
