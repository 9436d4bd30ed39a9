"""Metrics of classification, calibration and ranking, as pure functions of numbers.

Conventions: scores are higher for a better fit; labels are booleans, True for "fits"; a rank is 1
for the best candidate. Every function refuses empty input, unequal lengths and numbers that are
not finite with a ValueError that says which.

Metrics:
    accuracy, balanced_accuracy, f1: decisions at a threshold.
    auc: area under the ROC curve; a tie between a positive and a negative counts one half.
    expected_calibration_error, reliability: do probabilities mean what they say?
    Placement: where a relevant candidate stands; its rank, top_k, normalised_rank. Tied
        candidates share their places evenly, so that a constant scorer gets what chance gets.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata


def accuracy(probabilities: np.ndarray, labels: np.ndarray, threshold: float = 0.5) -> float:
    """Return the share of items on the right side of the threshold (at it counts as "fits")."""
    probabilities, labels = _paired(probabilities, labels)
    return float(((probabilities >= threshold) == labels).mean())


def balanced_accuracy(
    probabilities: np.ndarray, labels: np.ndarray, threshold: float = 0.5
) -> float:
    """Return the mean of the two classes' shares on the right side; NaN if a class is absent."""
    probabilities, labels = _paired(probabilities, labels)
    if labels.all() or not labels.any():
        return float("nan")
    right = (probabilities >= threshold) == labels
    return float((right[labels].mean() + right[~labels].mean()) / 2)


def f1(probabilities: np.ndarray, labels: np.ndarray, threshold: float = 0.5) -> float:
    """Return the harmonic mean of precision and recall of "fits"; 0 if nothing is right."""
    probabilities, labels = _paired(probabilities, labels)
    decided = probabilities >= threshold
    right = int((decided & labels).sum())
    return 2 * right / max(int(decided.sum()) + int(labels.sum()), 1)


def auc(scores: np.ndarray, labels: np.ndarray) -> float:
    """Return the chance that a random positive scores above a random negative.

    NaN where one of the two classes is absent: there is no such pair then.
    """
    scores, labels = _paired(scores, labels)
    positives = int(labels.sum())
    negatives = len(labels) - positives
    if not positives or not negatives:
        return float("nan")
    above = rankdata(scores)[labels].sum() - positives * (positives + 1) / 2
    return float(above / (positives * negatives))


@dataclass(frozen=True)
class Reliability:
    """One point per occupied bin of a reliability curve; three arrays of shape (bins,)."""

    confidence: np.ndarray  # mean probability of the items in the bin
    frequency: np.ndarray  # share of them that fit
    weight: np.ndarray  # share of all items; adds up to 1


def reliability(probabilities: np.ndarray, labels: np.ndarray, num_bins: int = 10) -> Reliability:
    """Sort probabilities into bins of equal width over [0, 1]; empty bins are left out.

    Both classes weigh the same in all, however many items they have: probabilities of fit are
    meant, and trained, for one original per unmatched mix.
    """
    probabilities, labels = _paired(probabilities, labels)
    if probabilities.min() < 0 or probabilities.max() > 1:
        raise ValueError(
            f"probabilities must lie in [0, 1], found "
            f"{probabilities.min():.3g} to {probabilities.max():.3g}"
        )
    share = labels.mean()
    weights = np.where(labels, 1 / max(share, 1e-12), 1 / max(1 - share, 1e-12))
    weights /= weights.sum()
    bins = np.minimum((probabilities * num_bins).astype(int), num_bins - 1)
    weight = np.bincount(bins, weights, num_bins)
    occupied = weight > 0
    confidence = np.bincount(bins, weights * probabilities, num_bins)[occupied] / weight[occupied]
    frequency = np.bincount(bins, weights * labels, num_bins)[occupied] / weight[occupied]
    return Reliability(confidence, frequency, weight[occupied])


def expected_calibration_error(
    probabilities: np.ndarray, labels: np.ndarray, num_bins: int = 10
) -> float:
    """Return the mean distance between probability and frequency over the bins of `reliability`.

    Paper: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.
    """
    curve = reliability(probabilities, labels, num_bins)
    return float((np.abs(curve.confidence - curve.frequency) * curve.weight).sum())


@dataclass(frozen=True)
class Placement:
    """Where relevant candidates stand; three integer arrays of shape (queries,).

    A candidate that `tied` others equal could stand on any of tied + 1 places. Its rank is their
    mean, and it counts as among the first k with the share of them that is.
    """

    better: np.ndarray  # other candidates with a higher score
    tied: np.ndarray  # other candidates with the same score
    candidates: np.ndarray  # all candidates, the relevant one included

    @property
    def rank(self) -> np.ndarray:
        """Rank of each relevant candidate, from 1; ties averaged."""
        return 1 + self.better + self.tied / 2

    def top_k(self, k: int) -> np.ndarray:
        """Return 1 where among the first k, 0 where not, a share where a tie decides.

        With one relevant candidate per query, the mean of this is recall at k.
        """
        return np.clip((k - self.better) / (self.tied + 1), 0.0, 1.0)

    @property
    def normalised_rank(self) -> np.ndarray:
        """Share of the other candidates that stand before: 0 best, 1 worst, 0.5 by chance."""
        return (self.rank - 1) / np.maximum(self.candidates - 1, 1)


def place(relevant: float, others: np.ndarray) -> tuple[int, int, int]:
    """Count the candidates that score above `relevant`, that equal it, and all with it."""
    others = np.asarray(others, dtype=np.float64)
    if not np.isfinite(relevant) or not np.isfinite(others).all():
        raise ValueError("scores have values that are not finite; a rank would mean nothing")
    better, tied = int((others > relevant).sum()), int((others == relevant).sum())
    return better, tied, len(others) + 1


def placements(places: list[tuple[int, int, int]]) -> Placement:
    """Collect what `place` counted for each query."""
    if not places:
        raise ValueError("no queries to rank")
    columns = np.array(places, dtype=np.int64).T
    return Placement(columns[0], columns[1], columns[2])


def _paired(values: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    values, labels = np.asarray(values, dtype=np.float64), np.asarray(labels)
    if values.ndim != 1 or values.shape != labels.shape:
        raise ValueError(
            f"scores and labels must be two lists of one length, got shapes "
            f"{values.shape} and {labels.shape}"
        )
    if not len(values):
        raise ValueError("no items to measure")
    if not np.isfinite(values).all():
        raise ValueError(f"{int((~np.isfinite(values)).sum())} scores are not finite")
    return values, labels.astype(bool)
