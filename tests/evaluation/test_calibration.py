from __future__ import annotations

import numpy as np
import pytest

from mashnet.errors import DatabaseError
from mashnet.evaluation.calibration import Calibration, crossfitted
from mashnet.evaluation.metrics import auc, expected_calibration_error


def test_scores_of_any_scale_become_probabilities():
    """Log-odds that were scaled and moved come back as the probabilities they were."""
    generator = np.random.default_rng(0)
    log_odds = generator.normal(0, 2, 20_000)
    truth = 1 / (1 + np.exp(-log_odds))
    labels = generator.random(20_000) < truth
    probabilities = Calibration(100 * log_odds - 7, labels)(100 * log_odds - 7)
    assert np.abs(probabilities - truth).max() < 0.03
    assert expected_calibration_error(probabilities, labels) < 0.02


def test_rare_positives_do_not_move_the_threshold():
    generator = np.random.default_rng(1)
    labels = np.arange(3000) < 300
    scores = generator.normal(size=3000) + 2.0 * labels
    fit = Calibration(scores, labels)
    assert fit(np.array([1.0]))[0] == pytest.approx(0.5, abs=0.08)  # midway between the classes


def test_order_is_kept():
    generator = np.random.default_rng(2)
    labels = generator.random(200) < 0.5
    scores = generator.normal(size=200) + labels
    assert auc(Calibration(scores, labels)(scores), labels) == auc(scores, labels)


def test_a_constant_score_gives_one_half():
    probabilities = Calibration(np.ones(10), np.arange(10) < 3)(np.ones(4))
    assert probabilities == pytest.approx(np.full(4, 0.5))


def test_no_song_is_judged_by_a_fit_that_saw_it():
    """Labels that follow the score only through the song itself help nobody."""
    songs = [str(i // 2) for i in range(40)]
    labels = np.tile([True, False], 20)
    scores = np.array([float(hash_of(i // 2)) for i in range(40)])
    found = crossfitted(scores, labels, np.ones(40, bool), songs)
    changed = labels.copy()
    changed[:2] = changed[:2][::-1]
    again = crossfitted(scores, changed, np.ones(40, bool), songs)
    assert found[:2] == pytest.approx(again[:2], abs=1e-9)


def hash_of(number):
    return (number * 7919) % 101


def test_unlabelled_items_are_judged_but_not_fitted():
    generator = np.random.default_rng(3)
    songs = [str(i // 4) for i in range(80)]
    labels = np.tile([True, False, False, False], 20)
    labelled = np.tile([True, True, True, False], 20)
    scores = generator.normal(size=80) + 2.0 * labels
    found = crossfitted(scores, labels, labelled, songs)
    assert np.isfinite(found).all()
    flipped = np.where(labelled, labels, True)
    assert crossfitted(scores, flipped, labelled, songs) == pytest.approx(found)


def test_too_few_songs_are_refused_with_a_reason():
    with pytest.raises(DatabaseError, match=r"1 song\(s\) are too few"):
        crossfitted(np.arange(4.0), np.arange(4) < 2, np.ones(4, bool), ["a"] * 4)
