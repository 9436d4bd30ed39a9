from __future__ import annotations

import numpy as np
import pytest

from mashnet.evaluation import curves

AMOUNTS = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
PEAKED = np.array([0.1, 0.5, 0.9, 0.6, 0.2])
FLAT = np.full(5, 0.4)
OFF_BY_ONE = np.array([0.1, 0.5, 0.6, 0.9, 0.2])
SONGS = np.stack([PEAKED, FLAT, OFF_BY_ONE])


def test_curves_by_hand():
    assert curves.peak_at_zero(SONGS, AMOUNTS).tolist() == [1.0, 0.2, 0.0]
    assert curves.prefers_zero(SONGS, AMOUNTS, 1).tolist() == [1.0, 0.5, 0.5]
    assert curves.drop(SONGS, AMOUNTS, 1) == pytest.approx([0.35, 0.0, -0.1])
    assert curves.drop(SONGS, AMOUNTS, 2) == pytest.approx([0.75, 0.0, 0.45])
    assert curves.mean_change(SONGS, AMOUNTS) == pytest.approx(
        [0.55, 0.0, (0.5 + 0.1 + 0.3 + 0.4) / 4]
    )
    assert curves.change_from_zero(SONGS, AMOUNTS)[0] == pytest.approx(PEAKED - 0.9)


def test_a_constant_scorer_peaks_as_often_as_chance():
    assert curves.peak_at_zero(np.zeros((4, 5)), AMOUNTS).mean() == pytest.approx(1 / 5)


def test_a_distance_that_was_not_measured_is_refused():
    with pytest.raises(ValueError, match="not one of the moves"):
        curves.drop(SONGS, AMOUNTS, 3)
