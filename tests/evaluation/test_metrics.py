from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mashnet.evaluation import metrics

# Few distinct values, so that ties are the rule.
SCORES = st.integers(2, 40).flatmap(
    lambda n: st.tuples(
        arrays(np.float64, n, elements=st.sampled_from([0.0, 0.1, 0.5, 0.7, 1.0])),
        arrays(np.bool_, n),
    )
)


@given(SCORES)
def test_classification_metrics_agree_with_scikit_learn(case):
    scores, labels = case
    decided = scores >= 0.5
    assert metrics.accuracy(scores, labels) == pytest.approx(
        sklearn.metrics.accuracy_score(labels, decided)
    )
    assert metrics.f1(scores, labels) == pytest.approx(
        sklearn.metrics.f1_score(labels, decided, zero_division=0)
    )
    if labels.any() and not labels.all():
        assert metrics.auc(scores, labels) == pytest.approx(
            sklearn.metrics.roc_auc_score(labels, scores)
        )
        assert metrics.balanced_accuracy(scores, labels) == pytest.approx(
            sklearn.metrics.balanced_accuracy_score(labels, decided)
        )
    else:
        assert np.isnan(metrics.auc(scores, labels))
        assert np.isnan(metrics.balanced_accuracy(scores, labels))


@given(SCORES)
def test_auc_counts_pairs(case):
    scores, labels = case
    pairs = [
        1.0 if p > n else 0.5 if p == n else 0.0 for p in scores[labels] for n in scores[~labels]
    ]
    if pairs:
        assert metrics.auc(scores, labels) == pytest.approx(np.mean(pairs))


def test_calibration_error_by_hand():
    # One of 2 originals and three of 4 unmatched lie at 0.25, so each class has weight 1/2 and the
    # bin holds 1/4 + 3/8 = 5/8, of which 1/4 fits: frequency 0.4. The bin at 0.95 holds
    # 1/4 + 1/8 = 3/8, of which 1/4 fits: frequency 2/3.
    probabilities = np.array([0.25] * 4 + [0.95] * 2)
    labels = np.array([True, False, False, False, True, False])
    curve = metrics.reliability(probabilities, labels)
    assert curve.confidence.tolist() == pytest.approx([0.25, 0.95])
    assert curve.frequency.tolist() == pytest.approx([0.4, 2 / 3])
    assert curve.weight.tolist() == pytest.approx([5 / 8, 3 / 8])
    expected = 5 / 8 * 0.15 + 3 / 8 * (0.95 - 2 / 3)
    assert metrics.expected_calibration_error(probabilities, labels) == pytest.approx(expected)


@given(st.integers(1, 20))
def test_calibration_does_not_depend_on_how_many_unmatched_there_are(copies):
    original, unmatched = np.array([0.9, 0.6, 0.3]), np.array([0.1, 0.6, 0.4])
    probabilities = np.concatenate([original, np.tile(unmatched, copies)])
    labels = np.arange(len(probabilities)) < 3
    once = metrics.expected_calibration_error(np.r_[original, unmatched], np.arange(6) < 3)
    assert metrics.expected_calibration_error(probabilities, labels) == pytest.approx(once)


def test_a_probability_of_one_falls_into_the_last_bin():
    assert metrics.expected_calibration_error(np.array([1.0, 0.0]), np.array([True, False])) == 0


@given(
    st.lists(st.sampled_from([0.0, 1.0, 2.0]), min_size=1, max_size=12),
    st.sampled_from([0.0, 1.0, 2.0]),
    st.integers(1, 14),
)
def test_tied_places_are_shared_evenly(others, relevant, k):
    """Oracle: break the ties in every possible way and average."""
    placement = metrics.placements([metrics.place(relevant, np.array(others))])
    above = sum(other > relevant for other in others)
    equal = sum(other == relevant for other in others)
    possible = [above + 1 + t for t in range(equal + 1)]
    assert placement.rank[0] == pytest.approx(np.mean(possible))
    assert placement.top_k(k)[0] == pytest.approx(np.mean([rank <= k for rank in possible]))
    expected = np.mean([(rank - 1) / len(others) for rank in possible])
    assert placement.normalised_rank[0] == pytest.approx(expected)


@given(st.integers(1, 200), st.integers(1, 20))
def test_a_constant_scorer_gets_what_chance_gets(num_others, k):
    placement = metrics.placements([metrics.place(3.0, np.full(num_others, 3.0))])
    assert placement.rank[0] == (num_others + 2) / 2
    assert placement.normalised_rank[0] == 0.5
    assert placement.top_k(k)[0] == pytest.approx(min(1.0, k / (num_others + 1)))


def test_ranks_by_hand():
    placement = metrics.placements(
        [metrics.place(0.9, np.array([0.1, 0.2])), metrics.place(0.1, np.array([0.9, 0.1, 0.5]))]
    )
    assert placement.rank.tolist() == [1.0, 3.5]
    assert placement.top_k(1).tolist() == [1.0, 0.0]
    assert placement.top_k(3).tolist() == [1.0, 0.5]
    assert placement.candidates.tolist() == [3, 4]


@pytest.mark.parametrize(
    ("scores", "labels", "message"),
    [
        ([], [], "no items"),
        ([0.1, 0.2], [True], "one length"),
        ([0.1, np.nan], [True, False], "1 scores are not finite"),
    ],
)
def test_what_cannot_be_measured_is_refused(scores, labels, message):
    for function in (metrics.accuracy, metrics.f1, metrics.auc, metrics.reliability):
        with pytest.raises(ValueError, match=message):
            function(np.array(scores, dtype=float), np.array(labels, dtype=bool))


def test_scores_on_another_scale_are_no_probabilities():
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        metrics.reliability(np.array([0.5, 12.0]), np.array([True, False]))


def test_ranks_of_nothing_or_of_nan_are_refused():
    with pytest.raises(ValueError, match="not finite"):
        metrics.place(0.5, np.array([0.1, np.nan]))
    with pytest.raises(ValueError, match="no queries"):
        metrics.placements([])
