"""Matrices of vocals against accompaniments, against numbers by hand and naive loops."""

from __future__ import annotations

import numpy as np
import pytest

from mashnet.evaluation.protocols.song_selection.pairs import (
    CORRELATIONS,
    asymmetry,
    correlation,
    drawn_cells,
    permutation_p,
)

SONGS = np.array(["a", "b", "b", "c"])


def matrix(seed, count=4):
    return np.random.default_rng(seed).standard_normal((count, count))


@pytest.mark.parametrize("diagonal", [True, False])
def test_a_cell_counts_as_often_as_its_songs_were_drawn(diagonal):
    scores = np.arange(16.0).reshape(4, 4)
    drawn = np.array([0, 0, 1, 2])  # a twice, b (both clips) once, c not at all
    expected = []
    for i in range(4):
        for j in range(4):
            if SONGS[i] != SONGS[j]:
                times = (drawn == i).sum() * (drawn == j).sum()
            else:
                times = (drawn == i).sum() if diagonal else 0
            expected += [scores[i, j]] * times
    found = drawn_cells(scores, SONGS, drawn, diagonal=diagonal)
    assert sorted(found) == sorted(expected)
    everything = drawn_cells(scores, SONGS, np.arange(4), diagonal=diagonal)
    assert len(everything) == (16 if diagonal else 10)


def test_correlations_by_hand():
    first, second = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 2.0, 4.0, 3.0])
    # Centred: (−1.5, −0.5, 0.5, 1.5) · (−1.5, −0.5, 1.5, 0.5) = 4, of 5; one pair of six is
    # in the wrong order, so Kendall's is (5 − 1) / 6.
    assert correlation("pearson", first, second) == pytest.approx(0.8)
    assert correlation("spearman", first, second) == pytest.approx(0.8)
    assert correlation("kendall", first, second) == pytest.approx(4 / 6)
    for name in CORRELATIONS:
        assert correlation(name, first, 3 * first + 1) == pytest.approx(1.0)
        assert np.isnan(correlation(name, first, np.ones(4)))
        assert np.isnan(correlation(name, first[:2], second[:2]))


def test_asymmetry_by_hand():
    songs = np.array(["a", "b", "c"])
    scores = np.array([[9.0, 1.0, 0.0], [0.0, 9.0, 2.0], [0.0, 2.0, 9.0]])
    # Off the diagonal: 1, 0, 0, 2, 0, 2; mean 5/6, mean square 9/6. Of three pairs, one differs.
    deviation = np.sqrt(9 / 6 - 25 / 36)
    found = asymmetry(scores, songs, np.arange(3), above=0.5)
    assert found.share == pytest.approx(1 / 3)
    assert found.raw == pytest.approx(1 / 3)
    assert found.size == pytest.approx(1 / 3 / deviation)
    assert asymmetry(scores, songs, np.arange(3), above=2.0).share == 0.0
    assert asymmetry(scores + scores.T, songs, np.arange(3), above=0.5).size == 0.0
    constant = asymmetry(np.ones((3, 3)), songs, np.arange(3), above=0.5)
    assert (constant.share, constant.size) == (0.0, 0.0)
    assert np.isnan(asymmetry(scores, songs, np.array([0, 0]), above=0.5).share)


def test_asymmetry_of_unrelated_normal_scores_is_what_the_report_calls_chance():
    count = 300
    found = asymmetry(matrix(0, count), np.arange(count), np.arange(count), above=0.5)
    assert found.size == pytest.approx(2 / np.sqrt(np.pi), abs=0.02)
    assert found.share == pytest.approx(0.7237, abs=0.01)


def test_the_permutation_test_hears_one_sided_songs_and_nothing_else():
    count = 12
    songs = np.array([f"song {i}" for i in range(count)])
    noise = matrix(1, count)
    liked_as_vocals = np.linspace(-3, 3, count)[:, None]
    settings = {"num_permutations": 199, "seed": 0}
    assert permutation_p(noise + liked_as_vocals, songs, **settings) == pytest.approx(1 / 200)
    # A song that is good both as vocal and as music is not one-sided.
    both_ways = noise + noise.T + liked_as_vocals + liked_as_vocals.T
    assert permutation_p(both_ways, songs, **settings) == 1.0
    ps = [permutation_p(matrix(s, count), songs, **settings) for s in range(2, 32)]
    assert 0.35 < np.mean(ps) < 0.65
    assert permutation_p(noise, songs, **settings) == permutation_p(noise, songs, **settings)


def test_clips_of_two_songs_are_exchanged_together():
    # Two songs have one coin between them: whatever it shows, they are as one-sided as before.
    songs = np.array(["a", "a", "b", "b"])
    assert permutation_p(matrix(3), songs, num_permutations=50, seed=0) == 1.0
