"""Original or unmatched, over folds: only mixes of one fold are compared with each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from scipy.stats import rankdata

from mashnet.evaluation.folds import fold_outcome
from mashnet.evaluation.metrics import balanced_accuracy
from mashnet.evaluation.protocols.mix_classification.answers import UNMATCHED
from mashnet.evaluation.protocols.mix_classification.protocol import NAME
from mashnet.evaluation.results import Comparison, Metric, Outcome
from mashnet.evaluation.statistics import Bootstrap, Estimate


def auc_within(scores: np.ndarray, labels: np.ndarray, folds: np.ndarray) -> float:
    """Return the chance that a positive scores above a negative of its own fold; NaN for no pair.

    Every pair weighs the same; a tie counts one half.
    """
    won = pairs = 0.0
    for fold in np.unique(folds):
        where = folds == fold
        positive = labels[where]
        count = int(positive.sum())
        won += rankdata(scores[where])[positive].sum() - count * (count + 1) / 2
        pairs += count * (len(positive) - count)
    return float(won / pairs) if pairs else float("nan")


def pool(scores: pl.DataFrame, shared: Mapping[str, Any], bootstrap: Bootstrap) -> Outcome:
    """Pool mix_classification."""
    names = scores["scorer"].unique(maintain_order=True).to_list()
    labelled = scores.filter(pl.col("condition") != "matched")
    tables = {name: labelled.filter(pl.col("scorer") == name) for name in names}
    present = set(labelled["condition"])
    unmatched = tuple(kind for kind in UNMATCHED if kind in present)
    kinds = {"auc": unmatched} | {f"auc_{kind}": (kind,) for kind in unmatched}

    def columns(name: str, metric: str) -> tuple[list[np.ndarray], list[str]]:
        wanted = ["original", *kinds.get(metric, unmatched)]
        table = tables[name].filter(pl.col("condition").is_in(wanted))
        labels = (table["condition"] == "original").to_numpy()
        songs = table["song_id"].to_list()
        if metric in kinds:
            return [table["score"].to_numpy(), labels, table["fold"].to_numpy()], songs
        return [table["calibrated"].to_numpy(), labels], songs

    statistics = dict.fromkeys(kinds, auc_within) | {
        "balanced_accuracy_calibrated": balanced_accuracy
    }
    metrics: dict[str, dict[str, Estimate]] = {name: {} for name in names}
    comparisons = []
    for metric, statistic in statistics.items():
        for name in names:
            metrics[name][metric] = bootstrap.estimate(statistic, *columns(name, metric))
        first, songs = columns(names[0], metric)
        for other in names[1:]:
            second, _ = columns(other, metric)
            difference = bootstrap.difference(statistic, first, second, songs)
            comparisons.append(Comparison(metric, names[0], other, difference))
    meaning = "How often an original scores above {} mix of its own fold."
    return fold_outcome(
        NAME,
        "Original or unmatched?",
        scores,
        metrics,
        {"auc": Metric(meaning.format("an unmatched"), 0.5, headline=True)}
        | {
            f"auc_{kind}": Metric(meaning.format(f"an {kind.replace('_', ' ')}"), 0.5, True)
            for kind in unmatched
        }
        | {
            "balanced_accuracy_calibrated": Metric(
                "Mean of the shares of originals and of unmatched mixes that are judged right, "
                "after a logistic fit on the fold's validation songs.",
                0.5,
            )
        },
        comparisons=comparisons,
        facts=dict.fromkeys(names, shared),
    )
