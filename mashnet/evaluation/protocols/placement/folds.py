"""Placement over folds: each vocal keeps its place among what was shown to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from mashnet.evaluation.folds import fold_outcome
from mashnet.evaluation.metrics import Placement
from mashnet.evaluation.protocols.placement.measures import OF_64, RANK, Column, compare, estimates
from mashnet.evaluation.protocols.placement.protocol import NAME
from mashnet.evaluation.protocols.placement.questions import NUM_OPPONENTS, length_suffix
from mashnet.evaluation.results import Metric, Outcome
from mashnet.evaluation.statistics import Bootstrap


def pool(scores: pl.DataFrame, shared: Mapping[str, Any], bootstrap: Bootstrap) -> Outcome:
    """Pool the first part of the protocol: does a vocal find its own music?

    Args:
        scores: tables of the protocol, with a column `fold`.
        shared: settings of all folds.
        bootstrap: how intervals are made; groups of songs are drawn, whatever fold they are in.
    """
    asked = scores.filter(pl.col("asked") == "own music")
    names = asked["scorer"].unique(maintain_order=True).to_list()
    of_scorers = {name: _columns(asked.filter(pl.col("scorer") == name)) for name in names}
    figures = dict.fromkeys(figure for found in of_scorers.values() for figure in found)
    return fold_outcome(
        NAME,
        "Does a phrase find its own music before anything is moved?",
        asked,
        {name: estimates(found, bootstrap) for name, found in of_scorers.items()},
        {name: _meaning(name) for name in figures},
        comparisons=compare(of_scorers, bootstrap),
        facts={name: {**shared, "groups": asked["group"].n_unique()} for name in names},
        notes=[f"Intervals draw {asked['group'].n_unique()} groups of songs, not songs."],
    )


def _columns(table: pl.DataFrame) -> dict[str, Column]:
    found: dict[str, Column] = {}
    for (way, bars), rows in table.group_by(["way", "bars"], maintain_order=True):
        suffix = ("" if way == "known" else f"_{way}") + length_suffix(int(str(bars)))
        counts = (rows[name].to_numpy() for name in ("better", "tied", "candidates"))
        placement = Placement(*counts)
        groups = rows["group"].to_list()
        if np.all(placement.candidates == NUM_OPPONENTS + 1):
            found[OF_64 + suffix] = placement.top_k(1), groups
        found[RANK + suffix] = placement.normalised_rank, groups
    return found


def _meaning(figure: str) -> Metric:
    if figure.startswith(OF_64):
        words = "Share of vocals whose own music stands first among 64, nothing moved."
        return Metric(words, 1 / (NUM_OPPONENTS + 1), headline="bars" not in figure)
    words = "Mean share of other songs' music that stands before a vocal's own; 0 is best."
    return Metric(words, 0.5)
