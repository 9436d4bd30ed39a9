"""Which songs go together? All vocals of a library against all its accompaniments.

AutoMashup's study: matrices of scores of several Scorers, compared with those of a judge
(COCOLA there). Two blocks of correlations stand side by side: as published, by a procedure that
`mashnet.evaluation.protocols.song_selection.as_published` describes and does again, and corrected.
Besides: how asymmetric each matrix is, which songs it treats alike (clusters, t-SNE), and whether a
vocal's own accompaniment stands before others, which is the one truth here that is no Scorer's
opinion.

Stems are judged as they are, in their own keys and tempos, as in the study; clips begin on a
downbeat. An EmbeddingScorer makes its n × n scores from 2n encodings.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from mashnet.errors import ConfigError, DatabaseError, require_one_of
from mashnet.evaluation.protocols.song_selection.as_published import (
    interleaved_cosines,
    right_cells,
    was_published,
)
from mashnet.evaluation.protocols.song_selection.clusters import (
    agreement,
    cluster,
    plane,
    profiles,
)
from mashnet.evaluation.protocols.song_selection.measures import (
    ari,
    correlation_of,
    correlations,
    correlations_as_published,
    meanings,
    one_sidedness,
    own_music,
    pearson_in_other_orders,
)
from mashnet.evaluation.protocols.song_selection.pairs import asymmetry
from mashnet.evaluation.protocols.song_selection.report import (
    notes_of,
    plots_of,
    selected,
    table_of,
)
from mashnet.evaluation.results import Comparison, Outcome, ScorerResult
from mashnet.evaluation.statistics import Bootstrap, Estimate
from mashnet.evaluation.subjects.songs import SongSource
from mashnet.models.score_matrix import score_matrix
from mashnet.models.scorer import EmbeddingScorer, Scorer

NAME = "song_selection"
VIEW = "songs"
LEAST_SONGS = 3  # two have one pair, and nothing to draw from


def run(
    scorers: Sequence[Scorer],
    source: SongSource,
    *,
    bootstrap: Bootstrap,
    judge: str | None = None,
    clips: str = "one",
    num_clusters: int = 4,
    num_listed: int = 20,
    asymmetric_above: float = 0.5,
    num_permutations: int = 999,
    seed: int = 0,
) -> Outcome:
    """Score all vocals against all accompaniments and compare the Scorers' opinions.

    Args:
        scorers: whom to ask.
        source: the songs.
        bootstrap: how intervals are made; songs are drawn, and all their pairs with them.
        judge: name of the Scorer that the others are compared with; None: the first.
        clips: one of each song, or all.
        num_clusters: of songs.
        num_listed: how many of the best and of the worst mashups are named for each Scorer.
        asymmetric_above: standard deviations by which the two scores of a pair differ that count
            as different.
        num_permutations: of the test of asymmetry.
        seed: of permutations, t-SNE and what was drawn at random as published.

    Raises:
        ConfigError: if a setting is not allowed, or no Scorer has the judge's name.
        DatabaseError: if fewer than three songs have all roles.
    """
    if num_clusters < 2 or num_permutations < 1 or asymmetric_above <= 0 or num_listed < 0:
        raise ConfigError(
            f"protocol.num_clusters={num_clusters}, protocol.num_permutations={num_permutations}, "
            f"protocol.num_listed={num_listed} and protocol.asymmetric_above={asymmetric_above} "
            f"must be at least 2, 1, 0 and more than 0"
        )
    judge = require_one_of("judge", judge or scorers[0].name, [s.name for s in scorers])
    found = source.clips(clips)
    songs = np.array([clip.song for clip in found], dtype=str)
    if len(set(songs)) < LEAST_SONGS:
        raise DatabaseError(
            f"{source.name}: only {len(set(songs))} song(s) of the split {source.split} have a "
            f"vocal, harmonic and percussion that sound; {LEAST_SONGS} are needed. Try "
            f"data.split=all"
        )
    vocals, music = [clip.vocal for clip in found], [clip.music for clip in found]
    scores = {s.name: score_matrix(s, vocals, music, what="songs") for s in scorers}
    described = {name: profiles(matrix) for name, matrix in scores.items()}
    clusters = {name: cluster(rows, num_clusters) for name, rows in described.items()}
    between = {
        name: {other: agreement(own.labels, clusters[other].labels) for other in clusters}
        for name, own in clusters.items()
    }

    results = []
    for scorer in scorers:
        name, matrix = scorer.name, scores[scorer.name]
        metrics: dict[str, Estimate] = {}
        facts: dict[str, Any] = {
            "judge": judge,
            "clips": len(found),
            "songs": len(set(songs)),
            "encodings": 2 * len(found) if isinstance(scorer, EmbeddingScorer) else None,
            "asymmetry": {
                "mean_difference_in_score": asymmetry(
                    matrix, songs, np.arange(len(songs)), above=asymmetric_above
                ).raw
            },
            "selected": selected(matrix, found, songs, num_listed),
            "clusters": clusters[name].labels.tolist(),
            "ari_between": {o: v if np.isfinite(v) else None for o, v in between[name].items()},
        }
        if name != judge:
            metrics |= correlations(matrix, scores[judge], songs, bootstrap)
            metrics["ari"] = ari(clusters[name].labels, clusters[judge].labels, songs, bootstrap)
            if was_published(scorer):
                cosines = interleaved_cosines(scorer, found, seed=seed)
                metrics |= correlations_as_published(name, cosines, scores[judge])
                mixed, right = right_cells(name, len(found))
                facts["as_published_cells"] = {
                    "all": len(found) ** 2, "vocal_and_music": mixed, "of_the_judge_s_pair": right,
                }  # fmt: skip
                facts["as_published_pearson_in_other_orders"] = pearson_in_other_orders(
                    name, cosines, scores[judge], bootstrap
                )
        metrics |= own_music(matrix, songs, bootstrap)
        metrics |= one_sidedness(
            matrix,
            songs,
            bootstrap,
            above=asymmetric_above,
            num_permutations=num_permutations,
            seed=seed,
        )
        results.append(ScorerResult(NAME, name, source.name, source.split, metrics, facts))

    described_in_plane = {name: plane(rows, seed=seed) for name, rows in described.items()}
    return Outcome(
        protocol=NAME,
        title="Which songs go together?",
        summary=(
            f"Each vocal of the library is judged with each accompaniment, as they are. What the "
            f"Scorers think of all these pairs is compared with what {judge} thinks: a correlation "
            f"says that two Scorers agree, not that either is right."
        ),
        results=results,
        metrics=meanings(judge, songs, above=asymmetric_above, has_others=len(scorers) > 1),
        scores=pl.concat([table_of(name, matrix, found) for name, matrix in scores.items()]),
        plots=plots_of(scores, clusters, described_in_plane, between, judge, found, songs),
        comparisons=_compare(scores, judge, songs, bootstrap),
        notes=[*notes_of(found, results, num_clusters), *source.left_out()],
    )


def _compare(
    scores: Mapping[str, np.ndarray], judge: str, songs: np.ndarray, bootstrap: Bootstrap
) -> list[Comparison]:
    """Return how much better the first Scorer agrees with the judge than each other does."""
    others = [name for name in scores if name != judge]
    of = {
        name: correlation_of("spearman", scores[name], scores[judge], songs, diagonal=False)
        for name in others
    }
    items = np.arange(len(songs))

    def difference(first: str, second: str, drawn: np.ndarray) -> float:
        return of[first](drawn) - of[second](drawn)

    return [
        Comparison(
            "spearman",
            others[0],
            other,
            bootstrap.estimate(
                functools.partial(difference, others[0], other),
                [items],
                songs.tolist(),
            ),
        )
        for other in others[1:]
    ]
