"""The figures of song_selection: what each is called, what it means, and how sure it is."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np

from mashnet.evaluation.protocols.song_selection.as_published import block_of
from mashnet.evaluation.protocols.song_selection.clusters import agreement
from mashnet.evaluation.protocols.song_selection.pairs import (
    CORRELATIONS,
    asymmetry,
    correlation,
    drawn_cells,
    permutation_p,
)
from mashnet.evaluation.results import Metric
from mashnet.evaluation.retrieval import placements_of
from mashnet.evaluation.statistics import Bootstrap, Estimate

DIAGONAL_IN = "_diagonal_in"
AS_PUBLISHED = "_as_published"
PUBLISHED = {
    "clap": {"pearson": 0.051, "spearman": 0.079, "kendall": 0.053},
    "mert": {"pearson": -0.018, "spearman": -0.017, "kendall": -0.010},
}


def correlations(
    scores: np.ndarray, judged: np.ndarray, songs: np.ndarray, bootstrap: Bootstrap
) -> dict[str, Estimate]:
    """Return the corrected correlations of two matrices (n, n), diagonal out and in."""
    found = {}
    for diagonal, suffix in ((False, ""), (True, DIAGONAL_IN)):
        for name in CORRELATIONS:
            found[name + suffix] = _over_songs(
                correlation_of(name, scores, judged, songs, diagonal=diagonal),
                songs,
                bootstrap,
                n=_cells(songs, diagonal),
            )
    return found


def correlation_of(
    name: str, scores: np.ndarray, judged: np.ndarray, songs: np.ndarray, *, diagonal: bool
) -> Callable[[np.ndarray], float]:
    """Return drawn items → the correlation of two matrices over their cells."""

    def statistic(drawn: np.ndarray) -> float:
        return correlation(
            name,
            drawn_cells(scores, songs, drawn, diagonal=diagonal),
            drawn_cells(judged, songs, drawn, diagonal=diagonal),
        )

    return statistic


def correlations_as_published(
    scorer: str, cosines: np.ndarray, judged: np.ndarray
) -> dict[str, Estimate]:
    """Return what the notebooks' block (of 2n × 2n cosines) says beside the judge's matrix.

    There is no interval: songs that are drawn twice would meet themselves in the block.
    """
    block = block_of(cosines, scorer, np.arange(len(judged)))
    return {
        name + AS_PUBLISHED: Estimate(
            correlation(name, block.ravel(), judged.ravel()), math.nan, math.nan, judged.size
        )
        for name in CORRELATIONS
    }


def pearson_in_other_orders(
    scorer: str, cosines: np.ndarray, judged: np.ndarray, bootstrap: Bootstrap
) -> list[float]:
    """Return between what the published figure lies for 95 % of the orders of the same songs.

    A figure about songs does not depend on the order in which they are listed; this one does.
    """
    generator = np.random.default_rng(bootstrap.seed)
    found = []
    for _ in range(bootstrap.num_resamples):
        order = generator.permutation(len(judged))
        block = block_of(cosines, scorer, order)
        found.append(correlation("pearson", block.ravel(), judged[np.ix_(order, order)].ravel()))
    return [float(bound) for bound in np.quantile(found, [0.025, 0.975])]


def one_sidedness(
    scores: np.ndarray,
    songs: np.ndarray,
    bootstrap: Bootstrap,
    *,
    above: float,
    num_permutations: int,
    seed: int,
) -> dict[str, Estimate]:
    """Return share and size of the asymmetry of a matrix (n, n), and the p of its permutations."""
    pairs = _cells(songs, False) // 2
    p = permutation_p(scores, songs, num_permutations=num_permutations, seed=seed)
    return {
        "asymmetry_share": _over_songs(
            lambda drawn: asymmetry(scores, songs, drawn, above=above).share,
            songs, bootstrap, n=pairs,
        ),
        "asymmetry_size": _over_songs(
            lambda drawn: asymmetry(scores, songs, drawn, above=above).size,
            songs, bootstrap, n=pairs,
        ),
        "asymmetry_p": Estimate(p, math.nan, math.nan, pairs),
    }  # fmt: skip


def own_music(scores: np.ndarray, songs: np.ndarray, bootstrap: Bootstrap) -> dict[str, Estimate]:
    """Return where each vocal's own accompaniment stands among those of other songs."""
    items = np.arange(len(scores))
    left_out = songs[:, None] == songs[None]
    np.fill_diagonal(left_out, False)
    placed = placements_of(scores, items, left_out)
    groups = songs.tolist()
    return {
        "normalised_rank_mean": bootstrap.estimate(np.mean, [placed.normalised_rank], groups),
        "top_1": bootstrap.estimate(np.mean, [placed.top_k(1)], groups),
    }


def ari(
    labels: np.ndarray, judged: np.ndarray, songs: np.ndarray, bootstrap: Bootstrap
) -> Estimate:
    """Return the adjusted Rand index of two labellings (n,).

    Of an item that is drawn twice one copy counts: both would always agree with each other.
    """

    def statistic(drawn: np.ndarray) -> float:
        once = np.unique(drawn)
        return agreement(labels[once], judged[once])

    return _over_songs(statistic, songs, bootstrap, n=len(songs))


def meanings(judge: str, songs: np.ndarray, *, above: float, has_others: bool) -> dict[str, Metric]:
    """Return what each figure means, and what it is by chance, for clips of these songs (n,)."""
    num_candidates = 1 + (songs[:, None] != songs[None]).sum(1)
    unlike = math.erfc(above / 2)  # two independent normal scores, by so many deviations
    of_judge: dict[str, Metric] = {}
    if has_others:
        for name in CORRELATIONS:
            of_judge[name] = Metric(
                f"Corrected: {name.title()} correlation with {judge}, over all mashups of two "
                f"songs (diagonal out).",
                0.0,
                headline=True,
            )
        for name in CORRELATIONS:
            of_judge[name + DIAGONAL_IN] = Metric(
                f"Corrected: the same with the originals among the mashups (diagonal in). That "
                f"both know an original when they hear one counts here. ({name.title()})",
                0.0,
            )
        for name in CORRELATIONS:
            published = ", ".join(f"{s} {figures[name]:.3f}" for s, figures in PUBLISHED.items())
            of_judge[name + AS_PUBLISHED] = Metric(
                f"As published: the notebooks' procedure on these songs ({name.title()}; the "
                f"study reports {published}). Void, and without an interval: see the note.",
                0.0,
            )
        of_judge["ari"] = Metric(
            f"Adjusted Rand index of the clusters of songs and {judge}'s. (The study reports "
            f"−0.026 between CLAP and MERT.)",
            0.0,
            headline=True,
        )
    return {
        **of_judge,
        "normalised_rank_mean": Metric(
            "Mean share of other songs' accompaniments that stand before a vocal's own; 0 is best.",
            0.5,
            headline=True,
        ),
        "top_1": Metric(
            "Share of vocals whose own accompaniment stands first.",
            float((1 / num_candidates).mean()),
        ),
        "asymmetry_share": Metric(
            f"Share of pairs of songs whose two scores (A's vocal with B's music, B's vocal with "
            f"A's music) are more than {above:g} standard deviations apart. Chance: unrelated "
            f"normal scores.",
            unlike,
            headline=True,
        ),
        "asymmetry_size": Metric(
            "Mean distance of these two scores, in standard deviations. Chance: unrelated normal "
            "scores.",
            2 / math.sqrt(math.pi),
        ),
        "asymmetry_p": Metric(
            "How likely chance makes songs as one-sided (better as vocals than as music, or the "
            "other way round): p of a permutation test that exchanges the two scores of a pair "
            "by a coin."
        ),
    }


def _over_songs(
    statistic: Callable[[np.ndarray], float], songs: np.ndarray, bootstrap: Bootstrap, *, n: int
) -> Estimate:
    """Estimate a statistic of drawn items; all items of a song are drawn together."""
    estimate = bootstrap.estimate(statistic, [np.arange(len(songs))], songs.tolist())
    return dataclasses.replace(estimate, n=n)


def _cells(songs: np.ndarray, diagonal: bool) -> int:
    same = songs[:, None] == songs[None]
    return same.size if diagonal else int((~same).sum())
