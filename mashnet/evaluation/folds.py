"""Folds of a cross-validation: reading the results of one protocol and pooling them.

Each protocol that can be pooled has a `folds.py`, which `mashnet.evaluation.protocols` finds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from mashnet.errors import ConfigError
from mashnet.evaluation.protocols import POOLED
from mashnet.evaluation.results import Comparison, Metric, Outcome, Plot, ScorerResult
from mashnet.evaluation.statistics import Bootstrap, Estimate
from mashnet.storage.regular_files import read_json, require_regular

# Settings that decide what was asked; a protocol's results say those that it has.
_SHARED = ("artefact_control", "labels", "chunk_s")


@dataclass(frozen=True)
class Folds:
    """The results of one protocol in all folds.

    Attributes:
        protocol: its name.
        scores: of all folds, with a column `fold`.
        shared: the settings that decide what was asked, where results say them; all folds agree.
    """

    protocol: str
    scores: pl.DataFrame
    shared: Mapping[str, Any]


def read_folds(folders: Sequence[Path]) -> Folds:
    """Read result folders, one per fold.

    Raises:
        ConfigError: if a folder holds no results, or they do not belong together: other protocols,
            Scorers or settings, or a song that is in two folds.
    """
    firsts, tables = [], []
    for fold, folder in enumerate(folders):
        try:
            found = read_json(folder / "metrics.json")
            require_regular(folder / "scores.parquet")
            table = pl.read_parquet(folder / "scores.parquet")
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"{folder} holds no results of evaluate.py (metrics.json, scores.parquet): {error}"
            ) from error
        firsts.append(found[0] if isinstance(found, list) else found)
        tables.append(table.with_columns(fold=pl.lit(fold)))
    protocols = {first["protocol"] for first in firsts}
    if len(protocols) != 1 or not protocols <= set(POOLED.names()):
        raise ConfigError(
            f"results=… must be folds of one protocol ({' or '.join(POOLED.names())}), "
            f"found {', '.join(sorted(protocols)) or 'none'}"
        )
    asked = {tuple(table["scorer"].unique(maintain_order=True)) for table in tables}
    if len(asked) != 1:
        raise ConfigError(f"the folds asked different Scorers: {sorted(asked)}")
    shared: dict[str, Any] = {}
    for setting in _SHARED:
        values = {first[setting] for first in firsts if setting in first}
        if len(values) > 1:
            found = ", ".join(sorted(map(str, values)))
            raise ConfigError(f"results=… must all be of one {setting}, found {found}")
        if values:
            shared[setting] = values.pop()
    scores = pl.concat(tables)
    twice = scores.group_by("song_id").agg(pl.col("fold").n_unique()).filter(pl.col("fold") > 1)
    if len(twice):
        raise ConfigError(
            f"{len(twice)} songs are in more than one fold ({twice['song_id'][0]} is one): each "
            f"must be held out once. Build folds with split.rotation, see docs/results.md"
        )
    return Folds(protocols.pop(), scores, shared)


def cross_validated(folds: Folds, bootstrap: Bootstrap) -> Outcome:
    """Return the figures over all folds; the first Scorer is compared with each other.

    Args:
        folds: what `read_folds` returns.
        bootstrap: how intervals are made; songs are drawn, whatever fold they are in.
    """
    outcome: Outcome = POOLED.load(folds.protocol)(folds.scores, folds.shared, bootstrap)
    return outcome


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
