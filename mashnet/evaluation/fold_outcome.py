"""What all pooled results have in common, whatever the protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from mashnet.evaluation.results import Comparison, Metric, Outcome, Plot, ScorerResult
from mashnet.evaluation.statistics import Estimate


def fold_outcome(
    protocol: str,
    title: str,
    scores: pl.DataFrame,
    metrics: Mapping[str, Mapping[str, Estimate]],
    meanings: dict[str, Metric],
    *,
    comparisons: list[Comparison],
    facts: Mapping[str, Mapping[str, Any]],
    plots: Sequence[Plot] = (),
    notes: Sequence[str] = (),
) -> Outcome:
    """Return the outcome of a protocol over all folds.

    Args:
        protocol: its name.
        title: of the report.
        scores: of all folds, with columns `fold` and `song_id`.
        metrics: Scorer → figure → estimate.
        meanings: what the figures mean.
        comparisons: of the first Scorer with each other.
        facts: Scorer → what else is to stand in metrics.json.
        plots: figures of the report.
        notes: what a reader should know beyond what holds for all folds.
    """
    folds = scores["fold"].n_unique()
    return Outcome(
        protocol=protocol,
        title=f"{title} All songs, held out in turn",
        summary=(
            f"{folds} folds: each song was judged by networks that were trained and chosen without "
            "it. Scores are compared within a fold only."
        ),
        results=[
            ScorerResult(protocol, name, "folds", "test", found, {"folds": folds, **facts[name]})
            for name, found in metrics.items()
        ],
        metrics=meanings,
        scores=scores,
        plots=list(plots),
        comparisons=comparisons,
        notes=[
            f"{scores['song_id'].n_unique()} songs in {folds} folds. Intervals draw songs anew; "
            "that networks of two folds share most of their training songs is not in them.",
            *notes,
        ],
    )
