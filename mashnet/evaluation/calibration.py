"""From scores of any scale to probabilities, by a logistic fit on other songs than are judged.

Paper: Platt, "Probabilistic Outputs for Support Vector Machines", 1999.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from mashnet.errors import DatabaseError

NUM_FOLDS = 5


class Calibration:
    """A logistic curve over standardised scores."""

    def __init__(self, scores: np.ndarray, labels: np.ndarray) -> None:
        """Fit the curve; both classes must be present.

        The two classes weigh the same, so that 0.5 lies where a score speaks for neither.
        """
        self._centre = float(scores.mean())
        self._scale = float(scores.std()) or 1.0
        self._curve = LogisticRegression(C=100.0, class_weight="balanced")
        self._curve.fit(self._standardised(scores), labels)

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        """Return probabilities, shape (items,)."""
        return self._curve.predict_proba(self._standardised(scores))[:, 1]

    def _standardised(self, scores: np.ndarray) -> np.ndarray:
        return ((scores - self._centre) / self._scale)[:, None]


def crossfitted(
    scores: np.ndarray, labels: np.ndarray, labelled: np.ndarray, songs: Sequence[str]
) -> np.ndarray:
    """Return probabilities where each song's come from a fit on the other songs.

    Args:
        scores: shape (items,).
        labels: shape (items,); only those of labelled items are used.
        labelled: shape (items,), whether an item's label is known.
        songs: the song of each item.

    Raises:
        DatabaseError: if there are too few songs for every fit to see both classes.
    """
    folds = min(NUM_FOLDS, len(set(songs)))
    probabilities = np.full(len(scores), np.nan)
    if folds >= 2:
        for others, judged in GroupKFold(folds).split(scores, groups=songs):
            fit = others[labelled[others]]
            if len(set(labels[fit])) == 2:
                probabilities[judged] = Calibration(scores[fit], labels[fit])(scores[judged])
    if not np.isfinite(probabilities).all():
        raise DatabaseError(
            f"{len(set(songs))} song(s) are too few to calibrate scores on some and judge others; "
            f"evaluate on more music, or on a database with a validation split"
        )
    return probabilities
