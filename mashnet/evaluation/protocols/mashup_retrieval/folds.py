"""Mashup retrieval over folds: each original stands among the matched mixes of its own fold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from mashnet.evaluation import figures
from mashnet.evaluation.folds import fold_outcome
from mashnet.evaluation.metrics import Placement, place, placements
from mashnet.evaluation.protocols.mashup_retrieval.protocol import NAME, PER_VOCAL, RIVALS
from mashnet.evaluation.rank_figures import compare, estimates
from mashnet.evaluation.rank_figures import meanings as meanings_of
from mashnet.evaluation.results import Metric, Outcome, Plot
from mashnet.evaluation.statistics import Bootstrap, Estimate


def pool(scores: pl.DataFrame, shared: Mapping[str, Any], bootstrap: Bootstrap) -> Outcome:
    """Pool mashup_retrieval; see `mashnet.evaluation.folds.cross_validated`."""
    names = scores["scorer"].unique(maintain_order=True).to_list()
    metrics: dict[str, dict[str, Estimate]] = {name: {} for name in names}
    meanings: dict[str, Metric] = {}
    comparisons, curves = [], {}
    for where, keys in (("", ["fold"]), (PER_VOCAL, ["fold", "vocal"])):
        placed = {}
        for name in names:
            placed[name], songs = _placed(scores.filter(pl.col("scorer") == name), keys)
            metrics[name] |= estimates(placed[name], songs, bootstrap, where)
        meanings |= meanings_of(placed[names[0]], RIVALS[where], where)
        comparisons += compare(placed, songs, bootstrap, where)
        curves["among those of the same vocal" if where else "among all of the fold"] = placed
    ranks = Plot(
        "ranks",
        figures.rank_curves(curves),
        "Share of originals that stand among the first part of the candidates; the further above "
        "the diagonal (chance), the better.",
    )
    return fold_outcome(
        NAME,
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
