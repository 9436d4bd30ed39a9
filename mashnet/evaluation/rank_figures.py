"""Ranks of originals among rival candidates: figures with intervals, meanings, comparisons."""

from __future__ import annotations

import numpy as np

from mashnet.evaluation.metrics import Placement
from mashnet.evaluation.results import Comparison, Metric
from mashnet.evaluation.statistics import Bootstrap, Estimate

_TOP = (1, 5, 10)


def _columns(placement: Placement) -> dict[str, tuple[np.ndarray, bool]]:
    """Return what is averaged per query, and whether the middle is meant instead of the mean."""
    columns = {
        "average_rank": (placement.rank, False),
        "median_rank": (placement.rank, True),
        **{f"top_{k}": (placement.top_k(k), False) for k in _TOP},
        "normalised_rank_mean": (placement.normalised_rank, False),
        "normalised_rank_median": (placement.normalised_rank, True),
    }
    return columns


def estimates(
    placement: Placement, songs: np.ndarray, bootstrap: Bootstrap, suffix: str = ""
) -> dict[str, Estimate]:
    """Return every figure of `meanings`, under its name and the suffix.

    Args:
        placement: where each original stands.
        songs: shape (queries,); they are drawn.
        bootstrap: how intervals are made.
        suffix: of the names, where a protocol has several kinds of rivals.
    """
    return {
        name + suffix: bootstrap.estimate(
            np.median if middle else np.mean, [values], songs.tolist()
        )
        for name, (values, middle) in _columns(placement).items()
    }


def compare(
    placed: dict[str, Placement], songs: np.ndarray, bootstrap: Bootstrap, suffix: str = ""
) -> list[Comparison]:
    """Return how far the first Scorer's originals stand from those of each other."""
    first, *others = placed
    return [
        Comparison(
            "normalised_rank_mean" + suffix,
            first,
            other,
            bootstrap.difference(
                np.mean,
                [placed[first].normalised_rank],
                [placed[other].normalised_rank],
                songs.tolist(),
            ),
        )
        for other in others
    ]


def meanings(placement: Placement, rivals: str, suffix: str = "") -> dict[str, Metric]:
    """Return what the figures of `estimates` mean, and their chance levels.

    Args:
        placement: says how many candidates there were.
        rivals: what an original stands among, in words.
        suffix: of the names.
    """
    average = float((placement.candidates + 1).mean() / 2)
    found = {
        "average_rank": Metric(
            f"Mean rank of an original among {rivals}; 1 is best.", average, True
        ),
        "median_rank": Metric(
            f"Middle rank among {rivals}.", float(np.median((placement.candidates + 1) / 2))
        ),
        **{
            f"top_{k}": Metric(
                f"Share of originals among the first {k} of {rivals} and itself.",
                float(np.minimum(k / placement.candidates, 1.0).mean()),
                headline=k == 1,
            )
            for k in _TOP
        },
        "normalised_rank_mean": Metric(
            f"Mean share of {rivals} that stand before the original; 0 is best.", 0.5, True
        ),
        "normalised_rank_median": Metric(f"Middle of that share, among {rivals}.", 0.5),
    }
    return {name + suffix: metric for name, metric in found.items()}
