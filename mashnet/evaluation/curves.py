"""Measures of a sensitivity curve: where it peaks, how far it falls, whether it stays level.

Conventions: a curve is an array of shape (songs, points); `amounts`, shape (points,), says how far
each point is moved, is sorted, and contains 0 and the opposite of each of its members. Every
function returns one number per song, shape (songs,).
"""

from __future__ import annotations

import numpy as np


def peak_at_zero(curve: np.ndarray, amounts: np.ndarray) -> np.ndarray:
    """Return 1 where the unmoved mix scores highest, 0 where not; tied points share the 1."""
    highest = curve == curve.max(axis=1, keepdims=True)
    return highest[:, _index(amounts, 0)] / highest.sum(axis=1)


def prefers_zero(curve: np.ndarray, amounts: np.ndarray, distance: float) -> np.ndarray:
    """Return the share of the two mixes moved by ±distance that score below the unmoved one.

    A tie counts one half, so a Scorer that does not listen gets 0.5.
    """
    gaps = _gaps(curve, amounts, distance)
    return ((gaps > 0) + 0.5 * (gaps == 0)).mean(axis=1)


def drop(curve: np.ndarray, amounts: np.ndarray, distance: float) -> np.ndarray:
    """Return by how much the score falls when moved by ±distance, the mean of both directions."""
    return _gaps(curve, amounts, distance).mean(axis=1)


def mean_change(curve: np.ndarray, amounts: np.ndarray) -> np.ndarray:
    """Return the mean absolute change against the unmoved mix, over all moved points."""
    zero = _index(amounts, 0)
    return np.abs(np.delete(curve, zero, axis=1) - curve[:, [zero]]).mean(axis=1)


def change_from_zero(curve: np.ndarray, amounts: np.ndarray) -> np.ndarray:
    """Return the curve minus its value at zero, shape (songs, points)."""
    return curve - curve[:, [_index(amounts, 0)]]


def _gaps(curve: np.ndarray, amounts: np.ndarray, distance: float) -> np.ndarray:
    moved = [_index(amounts, distance), _index(amounts, -distance)]
    return curve[:, [_index(amounts, 0)]] - curve[:, moved]


def _index(amounts: np.ndarray, amount: float) -> int:
    found = np.flatnonzero(np.isclose(amounts, amount))
    if len(found) != 1:
        raise ValueError(f"{amount} is not one of the moves {np.asarray(amounts).tolist()}")
    return int(found[0])
