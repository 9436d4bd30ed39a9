"""What is reported of the matrices of song_selection: best and worst mashups, plots, notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from mashnet.evaluation.protocols.song_selection import figures
from mashnet.evaluation.protocols.song_selection.clusters import Clusters
from mashnet.evaluation.results import Plot, ScorerResult
from mashnet.evaluation.subjects.songs import SongClip


def selected(
    scores: np.ndarray, clips: Sequence[SongClip], songs: np.ndarray, count: int
) -> dict[str, list[dict[str, Any]]]:
    """Name the best and the worst mashups of two songs, best and worst first.

    Args:
        scores: shape (n, n), vocals in rows and accompaniments in columns.
        clips: n clips.
        songs: of the clips, shape (n,).
        count: how many of the best and of the worst.
    """
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


def table_of(name: str, scores: np.ndarray, clips: Sequence[SongClip]) -> pl.DataFrame:
    """Return a Scorer's matrix (n, n) of n clips as one row per pair, vocal by vocal."""
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


def plots_of(
    scores: Mapping[str, np.ndarray],
    clusters: Mapping[str, Clusters],
    places: Mapping[str, np.ndarray],
    between: Mapping[str, Mapping[str, float]],
    judge: str,
    clips: Sequence[SongClip],
    songs: np.ndarray,
) -> list[Plot]:
    """Draw what the Scorers think of n clips.

    Args:
        scores: each Scorer's matrix, (n, n).
        clusters: each Scorer's clusters of the clips.
        places: of the clips in each Scorer's plane, (n, 2).
        between: the adjusted Rand index of each two Scorers.
        judge: name of the Scorer that the others are compared with.
        clips: n clips.
        songs: of the clips, shape (n,).
    """
    titles = [clip.title for clip in clips]
    plots = [
        Plot(
            "heatmaps",
            figures.heatmaps(scores, clusters[judge].order, titles, ordered_by=judge),
            "Scores of all vocals (rows) with all accompaniments (columns), each Scorer on its own "
            "scale. On the diagonal a vocal meets its own accompaniment; a bright row or column is "
            "a song that a Scorer likes with everybody.",
        ),
        Plot(
            "asymmetry",
            figures.mirrored(scores, songs),
            "The two ways to mash two songs up. On the dashed line both are worth the same.",
        ),
        Plot(
            "clusters",
            figures.trees(clusters, titles),
            "Songs that each Scorer treats alike are joined low in its tree.",
        ),
        Plot(
            "tsne",
            figures.planes(places, clusters[judge].labels, titles, coloured_by=judge),
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
                figures.against_judge(scores, judge, songs),
                f"Each pair as a Scorer and as {judge} judge it.",
            ),
        )
        plots.append(
            Plot(
                "ari",
                figures.agreements(table, names),
                "How far the clusters of each two Scorers agree: 1 the same, 0 as by chance.",
            )
        )
    return plots


def notes_of(
    clips: Sequence[SongClip], results: Sequence[ScorerResult], num_clusters: int
) -> list[str]:
    """Say in words what was judged, and what the published procedure compares with what."""
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
