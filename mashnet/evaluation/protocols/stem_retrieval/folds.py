"""Stem retrieval over folds: each stem keeps its place among the stems of its own fold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from mashnet.evaluation.folds import fold_outcome
from mashnet.evaluation.protocols.stem_retrieval import figures as stem_figures
from mashnet.evaluation.protocols.stem_retrieval.answers import (
    NUM_OPPONENTS,
    Standing,
    first_by_chance,
    related,
)
from mashnet.evaluation.protocols.stem_retrieval.measures import (
    AMONG_OTHERS,
    OF_64,
    by_instrument,
    caveats,
    compare,
    counted,
    estimates,
    kinds_of,
    meanings,
    per_instrument,
)
from mashnet.evaluation.protocols.stem_retrieval.protocol import NAME
from mashnet.evaluation.results import Outcome
from mashnet.evaluation.statistics import Bootstrap


def pool(scores: pl.DataFrame, shared: Mapping[str, Any], bootstrap: Bootstrap) -> Outcome:
    """Pool stem_retrieval: figures are of the queries of all folds, chance levels their means.

    Args:
        scores: tables of the protocol, with a column `fold`.
        shared: settings of all folds; `labels` among them.
        bootstrap: how intervals are made; songs of queries are drawn, the candidates stay.
    """
    names = scores["scorer"].unique(maintain_order=True).to_list()
    standings = {name: _standing(scores.filter(pl.col("scorer") == name)) for name in names}
    of_one = scores.filter(pl.col("scorer") == names[0])
    stems, chunks = (of_one.filter(pl.col("asked") == kind) for kind in ("stem", "chunk"))
    labels = stems["label"].to_list()
    songs, chunk_songs = stems["song_id"].to_list(), chunks["song_id"].to_list()
    of_folds = stems.partition_by("fold", maintain_order=True)
    by_chance, by_chance_among_others = zip(
        *(
            first_by_chance(*related(fold["song_id"].to_list(), fold["label"].to_list()))
            for fold in of_folds
        ),
        strict=True,
    )
    level = np.concatenate(by_chance), np.concatenate(by_chance_among_others)
    return fold_outcome(
        NAME,
        "Which stem is missing?",
        scores,
        {name: estimates(s, songs, chunk_songs, bootstrap) for name, s in standings.items()},
        meanings(standings[names[0]], level),
        comparisons=compare(standings, songs, chunk_songs, bootstrap),
        facts={
            name: {
                **shared,
                "candidates_per_fold": [len(fold) for fold in of_folds],
                "songs": len(set(songs)),
                "per_instrument": per_instrument(standing, labels),
            }
            for name, standing in standings.items()
        },
        plots=[
            stem_figures.recall_plot(standings),
            *stem_figures.first_place_plots(standings, by_instrument(labels), shared["labels"]),
        ],
        notes=[*_notes(stems, chunks), *caveats(labels)],
    )


def _standing(scores: pl.DataFrame) -> Standing:
    stems, chunks = (scores.filter(pl.col("asked") == kind) for kind in ("stem", "chunk"))
    return Standing(
        among_all=counted(stems),
        among_others=counted(stems, AMONG_OTHERS),
        first=kinds_of(stems),
        first_among_others=kinds_of(stems, AMONG_OTHERS),
        of_64=counted(chunks) if len(chunks) else None,
    )


def _notes(stems: pl.DataFrame, chunks: pl.DataFrame) -> list[str]:
    sizes = stems["candidates"].to_list()
    folds, with_chunks = (table["fold"].n_unique() for table in (stems, chunks))
    notes = [
        f"{len(stems)} stems, each looked for once among those of its own fold ({min(sizes)} to "
        f"{max(sizes)}): compare recall with the chance level, which depends on how many these "
        f"are. Figures that end in {AMONG_OTHERS} leave the other stems of its own song out."
    ]
    if with_chunks:
        notes.append(
            f"{OF_64}: {len(chunks)} chunks of {chunks['song_id'].n_unique()} songs against "
            f"{NUM_OPPONENTS} others of the same fold each."
        )
    if with_chunks < folds:
        notes.append(
            f"{OF_64} leaves out {folds - with_chunks} of {folds} folds: of some song's others "
            "they have too few chunks."
        )
    return notes
