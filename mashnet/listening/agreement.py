"""Does a Scorer agree with listeners? Correlations of its scores with the clips' mean ratings.

Over all clips, and without the originals: a Scorer that only knows originals when it hears them
correlates in the first and not in the second. Intervals draw clips.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import permutations

import numpy as np
import polars as pl
from scipy import stats

from mashnet.evaluation.statistics import Bootstrap, Estimate
from mashnet.listening.measures import NotComputed
from mashnet.listening.table import SCALES, Judged

ALL, WITHOUT_ORIGINALS = "all clips", "without originals"
_FEWEST = 5  # clips
_MOST_FOR_ALL_ORDERS = 8  # 40 320 of them
_TESTS = {
    "pearson": stats.pearsonr,
    "spearman": stats.spearmanr,
    "kendall": stats.kendalltau,
}


@dataclass(frozen=True)
class Agreement:
    """One correlation.

    Attributes:
        scorer: its name.
        clips: which: all, or without originals.
        scale: question or mean.
        measure: pearson, spearman, kendall.
        value: with its interval; n counts clips.
        p: two-sided, uncorrected; of Pearson and Spearman exact for up to eight clips.
    """

    scorer: str
    clips: str
    scale: str
    measure: str
    value: Estimate
    p: float


def item_means(table: Judged) -> pl.DataFrame:
    """Return item, original, and the mean of all its ratings on each scale."""
    return (
        table.ratings.group_by("item")
        .agg(pl.col("original").first(), *(pl.col(scale).mean() for scale in SCALES))
        .sort("item")
    )


def agreements(table: Judged, bootstrap: Bootstrap) -> tuple[list[Agreement], list[NotComputed]]:
    """Correlate every Scorer with every scale."""
    found: list[Agreement] = []
    missing: list[NotComputed] = []
    means = item_means(table)
    if not table.scores:
        why = "no Scorer's scores are in the key or in scores="
        return [], [NotComputed("correlations with Scorers", why)]
    for scorer in sorted(table.scores):
        of_item = table.scores[scorer]
        scored = means.filter(pl.col("item").is_in(list(of_item)))
        for clips in (ALL, WITHOUT_ORIGINALS):
            chosen = scored if clips == ALL else scored.filter(~pl.col("original"))
            scores = np.array([of_item[item] for item in chosen["item"]])
            what = f"correlations with {scorer}, {clips}"
            if len(scores) < _FEWEST:
                why = f"{len(scores)} rated clips have a score, {_FEWEST} are needed"
                missing.append(NotComputed(what, why))
                continue
            if np.ptp(scores) == 0:
                missing.append(NotComputed(what, "it gives all clips the same score"))
                continue
            for scale in SCALES:
                rated = np.round(chosen[scale].to_numpy(), 9)
                if np.ptp(rated) == 0:
                    missing.append(NotComputed(f"{what}, {scale}", "all clips are rated the same"))
                    continue
                found += _correlations(scorer, clips, scale, scores, rated, bootstrap)
    return found, missing


def _correlations(
    scorer: str,
    clips: str,
    scale: str,
    scores: np.ndarray,
    rated: np.ndarray,
    bootstrap: Bootstrap,
) -> list[Agreement]:
    items = [str(index) for index in range(len(scores))]
    found = []
    for name, test in _TESTS.items():
        tested = test(scores, rated)
        p = float(tested.pvalue)
        if name != "kendall" and len(scores) <= _MOST_FOR_ALL_ORDERS:
            p = _p_of_all_orders(name, scores, rated)
        drawn = bootstrap.estimate(COEFFICIENTS[name], [scores, rated], items)
        value = Estimate(float(tested.statistic), drawn.low, drawn.high, drawn.n)
        found.append(Agreement(scorer, clips, scale, name, value, p))
    return found


def _p_of_all_orders(name: str, scores: np.ndarray, rated: np.ndarray) -> float:
    """Return the share of orders of the ratings that correlate as much, exact for few clips.

    The usual p of Pearson and Spearman supposes many: it is 0 for five clips in the same order.
    """
    if name == "spearman":
        scores, rated = stats.rankdata(scores), stats.rankdata(rated)
    orders = np.array(list(permutations(range(len(rated)))))
    products = np.abs((rated - rated.mean())[orders] @ (scores - scores.mean()))
    return float((products >= products[0] * (1 - 1e-9)).mean())  # the first order is the given one


def _cosine(first: np.ndarray, second: np.ndarray) -> float:
    """Return the cosine of two arrays; NaN where one is all zeros."""
    lengths = np.sqrt(np.square(first).sum() * np.square(second).sum())
    return float((first * second).sum() / lengths) if lengths > 1e-12 else float("nan")


def _pearson(first: np.ndarray, second: np.ndarray) -> float:
    return _cosine(first - first.mean(), second - second.mean())


def _spearman(first: np.ndarray, second: np.ndarray) -> float:
    return _pearson(stats.rankdata(first), stats.rankdata(second))


def _kendall(first: np.ndarray, second: np.ndarray) -> float:
    """Return tau-b: the cosine of who is above whom."""
    return _cosine(np.sign(first[:, None] - first[None]), np.sign(second[:, None] - second[None]))


# The same numbers as scipy's tests, without their p: an interval asks for a thousand of them.
COEFFICIENTS: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "pearson": _pearson,
    "spearman": _spearman,
    "kendall": _kendall,
}
