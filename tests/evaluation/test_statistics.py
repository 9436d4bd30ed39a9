from __future__ import annotations

import numpy as np
import pytest

from mashnet.evaluation.statistics import Bootstrap, distinguishable


def test_the_interval_of_a_mean_agrees_with_theory():
    values = np.random.default_rng(1).normal(5.0, 2.0, 400)
    estimate = Bootstrap(num_resamples=2000).estimate(
        np.mean, [values], [str(i) for i in range(400)]
    )
    half = 1.96 * values.std(ddof=1) / 20
    assert estimate.value == pytest.approx(values.mean())
    assert estimate.low == pytest.approx(values.mean() - half, abs=0.03)
    assert estimate.high == pytest.approx(values.mean() + half, abs=0.03)
    assert estimate.n == 400


def test_the_interval_covers_the_truth_as_often_as_it_says():
    generator = np.random.default_rng(2)
    groups = [str(i // 3) for i in range(90)]
    covered = 0
    for trial in range(200):
        values = np.repeat(generator.normal(0, 1, 30), 3) + generator.normal(0, 0.1, 90)
        estimate = Bootstrap(num_resamples=200, seed=trial).estimate(np.mean, [values], groups)
        covered += estimate.low <= 0 <= estimate.high
    assert 175 <= covered <= 199  # 95 % of 200, as far as a percentile bootstrap of 30 songs goes


def test_items_of_a_song_are_drawn_together():
    """Thirty copies of ten songs are no surer than the ten songs."""
    songs = np.random.default_rng(3).normal(size=10)
    names = [str(i) for i in range(10)]
    once = Bootstrap().estimate(np.mean, [songs], names)
    copies = Bootstrap().estimate(np.mean, [np.tile(songs, 30)], names * 30)
    assert (copies.low, copies.high) == pytest.approx((once.low, once.high))
    assert copies.n == 300


def test_the_same_seed_gives_the_same_interval():
    values = np.arange(20.0)
    names = [str(i) for i in range(20)]
    first, again, other = (
        Bootstrap(seed=seed).estimate(np.mean, [values], names) for seed in (4, 4, 5)
    )
    assert first == again
    assert (first.low, first.high) != (other.low, other.high)


def test_one_song_gives_no_interval():
    estimate = Bootstrap().estimate(np.mean, [np.array([1.0, 3.0])], ["a", "a"])
    assert estimate.value == 2.0
    assert np.isnan(estimate.low)
    assert np.isnan(estimate.high)


def test_a_paired_difference_is_surer_than_two_intervals():
    generator = np.random.default_rng(6)
    songs = generator.normal(0, 5, 40)
    names = [str(i) for i in range(40)]
    better = songs + 0.5 + generator.normal(0, 0.1, 40)
    bootstrap = Bootstrap()
    difference = bootstrap.difference(np.mean, [better], [songs], names)
    assert distinguishable(difference)
    assert difference.value == pytest.approx(0.5, abs=0.1)
    one, two = (bootstrap.estimate(np.mean, [x], names) for x in (better, songs))
    assert one.low < two.high  # the two intervals overlap all the same
    assert not distinguishable(bootstrap.difference(np.mean, [songs], [songs], names))


def test_draws_in_which_a_statistic_is_undefined_are_left_out():
    def mean_of_positive(values):
        chosen = values[values > 0]
        return chosen.mean() if len(chosen) else float("nan")

    estimate = Bootstrap().estimate(mean_of_positive, [np.array([-1.0, 2.0])], ["a", "b"])
    assert (estimate.low, estimate.high) == (2.0, 2.0)


def test_columns_of_other_lengths_are_refused():
    with pytest.raises(ValueError, match="one length"):
        Bootstrap().estimate(np.mean, [np.zeros(3)], ["a", "b"])
    with pytest.raises(ValueError, match="≥ 1"):
        Bootstrap().estimate(np.mean, [np.zeros(0)], [])
