"""One table from the folds of a cross-validation: every song held out once, by some network.

    python -m mashnet.evaluation.cross_validation results=[FOLDER,FOLDER,…] out=FOLDER

Networks of different folds score on scales of their own, so scores are compared within a fold only:
AUC counts pairs of an original and an unmatched mix of the same fold, ranks are among the matched
mixes of the same fold, or among its stems. What is pooled is who wins, never the scores.

Folds of these protocols can be pooled: mix_classification, mashup_retrieval, stem_retrieval.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from omegaconf import DictConfig
from scipy.stats import rankdata

from mashnet.cli import entry_point, typed_command
from mashnet.errors import ConfigError
from mashnet.evaluation import figures, placement_figures
from mashnet.evaluation.fold_outcome import fold_outcome
from mashnet.evaluation.metrics import Placement, balanced_accuracy, place, placements
from mashnet.evaluation.protocols import mashup_retrieval, mix_classification, stem_retrieval
from mashnet.evaluation.report import publish
from mashnet.evaluation.results import Comparison, Metric, Outcome, Plot
from mashnet.evaluation.statistics import Bootstrap, Estimate
from mashnet.evaluation.stem_folds import pool_stems
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
    if len(protocols) != 1 or not protocols <= set(_POOLED):
        raise ConfigError(
            f"results=… must be folds of one protocol ({' or '.join(_POOLED)}), "
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
    return _POOLED[folds.protocol](folds.scores, folds.shared, bootstrap)


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


def _classification(
    scores: pl.DataFrame, shared: Mapping[str, Any], bootstrap: Bootstrap
) -> Outcome:
    """Pool mix_classification."""
    names = scores["scorer"].unique(maintain_order=True).to_list()
    labelled = scores.filter(pl.col("condition") != "matched")
    tables = {name: labelled.filter(pl.col("scorer") == name) for name in names}
    present = set(labelled["condition"])
    unmatched = tuple(kind for kind in mix_classification.UNMATCHED if kind in present)
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
        mix_classification.NAME,
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


def _retrieval(scores: pl.DataFrame, shared: Mapping[str, Any], bootstrap: Bootstrap) -> Outcome:
    """Pool mashup_retrieval."""
    names = scores["scorer"].unique(maintain_order=True).to_list()
    metrics: dict[str, dict[str, Estimate]] = {name: {} for name in names}
    meanings: dict[str, Metric] = {}
    comparisons, curves = [], {}
    for where, keys in (("", ["fold"]), (mashup_retrieval.PER_VOCAL, ["fold", "vocal"])):
        placed = {}
        for name in names:
            placed[name], songs = _placed(scores.filter(pl.col("scorer") == name), keys)
            metrics[name] |= placement_figures.estimates(placed[name], songs, bootstrap, where)
        meanings |= placement_figures.meanings(
            placed[names[0]], mashup_retrieval.RIVALS[where], where
        )
        comparisons += placement_figures.compare(placed, songs, bootstrap, where)
        curves["among those of the same vocal" if where else "among all of the fold"] = placed
    ranks = Plot(
        "ranks",
        figures.rank_curves(curves),
        "Share of originals that stand among the first part of the candidates; the further above "
        "the diagonal (chance), the better.",
    )
    return fold_outcome(
        mashup_retrieval.NAME,
        "Is the original found among the matched?",
        scores,
        metrics,
        meanings,
        comparisons=comparisons,
        facts=dict.fromkeys(names, shared),
        plots=[ranks],
    )


def _placed(scores: pl.DataFrame, keys: list[str]) -> tuple[Placement, np.ndarray]:
    """Return where each original stands among the matched mixes that share its keys."""
    places, songs = [], []
    for _, table in scores.group_by(keys, maintain_order=True):
        is_original = (table["condition"] == "original").to_numpy()
        values = table["score"].to_numpy()
        if is_original.all():
            continue
        for index in np.flatnonzero(is_original):
            places.append(place(values[index], values[~is_original]))
            songs.append(table["song_id"][int(index)])
    return placements(places), np.array(songs)


_POOLED: dict[str, Callable[[pl.DataFrame, Mapping[str, Any], Bootstrap], Outcome]] = {
    mix_classification.NAME: _classification,
    mashup_retrieval.NAME: _retrieval,
    stem_retrieval.NAME: pool_stems,
}


@entry_point("cross_validation")
def main(config: DictConfig) -> None:
    """Pool the folds' results, write them, and print the table."""
    folds = read_folds([Path(folder) for folder in config.results])
    outcome = cross_validated(folds, Bootstrap(**config.bootstrap))
    command = typed_command("python", "-m", "mashnet.evaluation.cross_validation")
    publish(outcome, Path(config.out), command=command)


if __name__ == "__main__":
    main()
