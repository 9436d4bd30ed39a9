"""What matrices of scores of vocals against accompaniments say, as pure functions of numbers.

Conventions: `scores[i, j]` is vocal i with accompaniment j; row i and column i are of the same
clip, `songs[i]` is its song. The *diagonal* is all cells whose two sides are of one song: an
original, no mashup. Items may be drawn more than once (bootstrap): a cell of two songs then counts
as often as both were drawn together, a cell of one song as often as that song was drawn, so that
no draw has more diagonal in it than the library has.

Functions:
    drawn_cells: the scores of all cells, as often as they count.
    correlation: of two Scorers, over the cells.
    asymmetry: how far (A's vocal, B's music) is from (B's vocal, A's music).
    permutation_p: whether that is more than chance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import stats

CORRELATIONS: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "pearson": lambda x, y: float(stats.pearsonr(x, y).statistic),
    "spearman": lambda x, y: float(stats.spearmanr(x, y).statistic),
    "kendall": lambda x, y: float(stats.kendalltau(x, y).statistic),
}


@dataclass(frozen=True)
class Asymmetry:
    """How far the two ways to make a mashup of two songs are apart.

    Attributes:
        share: of the pairs of songs whose two scores are further apart than a limit.
        size: mean absolute difference, in standard deviations of the scores off the diagonal.
        raw: the same in the Scorer's own unit.
    """

    share: float
    size: float
    raw: float


def drawn_cells(
    scores: np.ndarray, songs: np.ndarray, drawn: np.ndarray, *, diagonal: bool
) -> np.ndarray:
    """Return the scores of the cells of drawn items, (cells,), each as often as it counts.

    Args:
        scores: shape (n, n).
        songs: shape (n,).
        drawn: items, each as often as it was drawn; all clips of a song are drawn together.
        diagonal: whether cells of one song belong to it.
    """
    counts = np.bincount(drawn, minlength=len(scores))
    same = songs[:, None] == songs[None]
    weight = np.where(same, counts[:, None] if diagonal else 0, np.outer(counts, counts))
    return np.repeat(scores.ravel(), weight.ravel())


def correlation(name: str, first: np.ndarray, second: np.ndarray) -> float:
    """Return a correlation of `CORRELATIONS`; NaN where one side is constant or too short."""
    if len(first) < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return CORRELATIONS[name](first, second)


def asymmetry(
    scores: np.ndarray, songs: np.ndarray, drawn: np.ndarray, *, above: float
) -> Asymmetry:
    """Compare each cell with its mirror image.

    Args:
        scores: shape (n, n).
        songs: shape (n,).
        drawn: items, each as often as it was drawn.
        above: standard deviations, of which two scores differ that count as different.

    Returns:
        NaN throughout where no two songs were drawn; zeros for constant scores.
    """
    apart = np.abs(drawn_cells(scores - scores.T, songs, drawn, diagonal=False))
    if not len(apart):
        return Asymmetry(float("nan"), float("nan"), float("nan"))
    deviation = float(drawn_cells(scores, songs, drawn, diagonal=False).std())
    raw = float(apart.mean())
    if deviation <= 1e-12 * max(1.0, float(np.abs(scores).max())):
        return Asymmetry(0.0, 0.0, raw)
    return Asymmetry(float((apart > above * deviation).mean()), raw / deviation, raw)


def permutation_p(
    scores: np.ndarray, songs: np.ndarray, *, num_permutations: int, seed: int
) -> float:
    """Return how likely chance makes songs as one-sided as they are.

    A song is one-sided if mashups that take its vocal fit better, over all partners, than those
    that take its music, or the other way round. If direction meant nothing, the two scores of a
    pair of songs could be exchanged: that is done for each pair by a coin, and the mean over clips
    of |mean over partners of (as vocal − as music)| is compared with the true one.

    Args:
        scores: shape (n, n).
        songs: shape (n,); all clips of two songs are exchanged together.
        num_permutations: how often.
        seed: of the coins.

    Returns:
        (1 + draws at least as one-sided) / (1 + draws).
    """
    _, codes = np.unique(songs, return_inverse=True)
    same = codes[:, None] == codes[None]
    apart = np.where(same, 0.0, scores - scores.T)
    partners = np.maximum((~same).sum(1), 1)

    def one_sided(matrix: np.ndarray) -> float:
        return float(np.abs(matrix.sum(1) / partners).mean())

    true = one_sided(apart)
    generator = np.random.default_rng(seed)
    num_songs = codes.max() + 1
    least = true - 1e-12 * max(1.0, abs(true))
    reached = 0
    for _ in range(num_permutations):
        coins = np.triu(generator.choice((-1.0, 1.0), size=(num_songs, num_songs)), 1)
        reached += one_sided(apart * (coins + coins.T)[np.ix_(codes, codes)]) >= least
    return (1 + reached) / (1 + num_permutations)
