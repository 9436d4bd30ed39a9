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
from mashnet.evaluation.protocols.song_selection import figures as song_figures
from mashnet.evaluation.protocols.song_selection.as_published import (
    interleaved_cosines,
    right_cells,
    was_published,
)
from mashnet.evaluation.protocols.song_selection.clusters import (
    Clusters,
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
from mashnet.evaluation.results import Comparison, Outcome, Plot, ScorerResult
from mashnet.evaluation.statistics import Bootstrap, Estimate
from mashnet.evaluation.subjects.songs import SongClip, SongSource
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
            "selected": _selected(matrix, found, songs, num_listed),
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
        scores=pl.concat([_table(name, matrix, found) for name, matrix in scores.items()]),
        plots=_plots(scores, clusters, described_in_plane, between, judge, found, songs),
        comparisons=_compare(scores, judge, songs, bootstrap),
        notes=[*_notes(found, results, num_clusters), *source.left_out()],
    )


def _selected(
    scores: np.ndarray, clips: Sequence[SongClip], songs: np.ndarray, count: int
) -> dict[str, list[dict[str, Any]]]:
    """Name the best and the worst mashups of two songs, best and worst first."""
    vocals, music = np.nonzero(songs[:, None] != songs[None])
    order = np.argsort(-scores[vocals, music], kind="stable")
    return {
        kind: [
            {
                "vocal": clips[vocals[cell]].clip_id,
                "vocal_title": clips[vocals[cell]].title,
                "music": clips[music[cell]].clip_id,
                "music_title": clips[music[cell]].title,
                "score": float(scores[vocals[cell], music[cell]]),
            }
            for cell in chosen[:count]
        ]
        for kind, chosen in (("best", order), ("worst", order[::-1]))
    }


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


def _table(name: str, scores: np.ndarray, clips: Sequence[SongClip]) -> pl.DataFrame:
    """Return one row per pair, vocal by vocal."""
    count = len(clips)
    columns = {
        "clip_id": [clip.clip_id for clip in clips],
        "song_id": [clip.song for clip in clips],
        "title": [clip.title for clip in clips],
    }
    return pl.DataFrame(
        {
            "scorer": [name] * count**2,
            **{f"vocal_{key}": np.repeat(values, count) for key, values in columns.items()},
            **{f"music_{key}": np.tile(values, count) for key, values in columns.items()},
            "score": scores.ravel(),
        }
    )


def _plots(
    scores: Mapping[str, np.ndarray],
    clusters: Mapping[str, Clusters],
    places: Mapping[str, np.ndarray],
    between: Mapping[str, Mapping[str, float]],
    judge: str,
    clips: Sequence[SongClip],
    songs: np.ndarray,
) -> list[Plot]:
    titles = [clip.title for clip in clips]
    plots = [
        Plot(
            "heatmaps",
            song_figures.heatmaps(scores, clusters[judge].order, titles, ordered_by=judge),
            "Scores of all vocals (rows) with all accompaniments (columns), each Scorer on its own "
            "scale. On the diagonal a vocal meets its own accompaniment; a bright row or column is "
            "a song that a Scorer likes with everybody.",
        ),
        Plot(
            "asymmetry",
            song_figures.mirrored(scores, songs),
            "The two ways to mash two songs up. On the dashed line both are worth the same.",
        ),
        Plot(
            "clusters",
            song_figures.trees(clusters, titles),
            "Songs that each Scorer treats alike are joined low in its tree.",
        ),
        Plot(
            "tsne",
            song_figures.planes(places, clusters[judge].labels, titles, coloured_by=judge),
            "The same in two dimensions (t-SNE of rows and columns of each matrix, their means "
            "taken out). Where colours lie together, a Scorer groups songs as the judge does.",
        ),
    ]
    if len(scores) > 1:
        names = list(scores)
        table = np.array([[between[one][other] for other in names] for one in names])
        plots.insert(
            1,
            Plot(
                "against_judge",
                song_figures.against_judge(scores, judge, songs),
                f"Each pair as a Scorer and as {judge} judge it.",
            ),
        )
        plots.append(
            Plot(
                "ari",
                song_figures.agreements(table, names),
                "How far the clusters of each two Scorers agree: 1 the same, 0 as by chance.",
            )
        )
    return plots


def _notes(
    clips: Sequence[SongClip], results: Sequence[ScorerResult], num_clusters: int
) -> list[str]:
    count, songs = len(clips), len({clip.song for clip in clips})
    notes = [
        f"{count} clips of {songs} songs: {count * count} pairs, in their own keys and tempos, "
        f"from the first downbeat of each clip on; songs are cut into {num_clusters} clusters.",
    ]
    for result in results:
        cells = result.facts.get("as_published_cells")
        if cells:
            low, high = result.facts["as_published_pearson_in_other_orders"]
            notes.append(
                f"As published, {result.scorer}: of the {cells['all']} cells that the notebooks "
                f"correlate with the judge's, {cells['vocal_and_music']} are a vocal with an "
                f"accompaniment and {cells['of_the_judge_s_pair']} the pair that the judge's cell "
                f"is about (of 21 songs: 110 and 0 for CLAP, 121 and 1 for MERT, of 441); only the "
                f"first 10 s are heard, and for 95 % of the orders in which these songs could be "
                f"listed Pearson's lies between {low:.3f} and {high:.3f}"
                + (
                    ", and the layers are joined by random weights drawn anew for each part."
                    if result.scorer == "mert"
                    else "."
                )
            )
    return notes
