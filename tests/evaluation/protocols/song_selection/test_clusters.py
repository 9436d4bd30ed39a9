"""Clusters of songs: planted groups are found, constant scores have none."""

from __future__ import annotations

import numpy as np
import pytest

from mashnet.evaluation.protocols.song_selection.clusters import agreement, cluster, plane, profiles


def planted(seed, groups):
    """Scores that are higher where two songs are of one group."""
    same = groups[:, None] == groups[None]
    return same + 0.05 * np.random.default_rng(seed).standard_normal(same.shape)


def test_planted_groups_are_found_whatever_everybody_gives_a_song():
    groups = np.repeat([0, 1, 2], 5)
    generator = np.random.default_rng(9)
    liked = 3 * generator.standard_normal((2, 15))
    scores = planted(0, groups) + liked[0][:, None] + liked[1][None]
    found = cluster(profiles(scores), 3)
    assert agreement(found.labels, groups) == 1.0
    assert sorted(found.order) == list(range(15))
    ordered = groups[found.order]
    assert (np.diff(ordered) != 0).sum() == 2  # songs of a cluster stand together
    np.testing.assert_allclose(profiles(scores), profiles(5 * scores - 7), atol=1e-9)


def test_the_adjusted_rand_index_by_hand():
    # Pairs: 15; together in both 1, expected 3 · 3 / 15, most (3 + 3) / 2.
    first, second = np.array([1, 1, 2, 2, 3, 3]), np.array([1, 1, 2, 3, 2, 3])
    assert agreement(first, second) == pytest.approx((1 - 0.6) / (3 - 0.6))
    assert agreement(first, 10 - first) == 1.0
    assert np.isnan(agreement(first, np.ones(6)))


def test_constant_scores_are_one_cluster_and_still_have_a_plane():
    described = profiles(np.full((6, 6), 0.3))
    assert (described == 0).all()
    assert len(set(cluster(described, 3).labels)) == 1
    assert np.isfinite(plane(described, seed=0)).all()


def test_the_plane_keeps_groups_together():
    groups = np.repeat([0, 1], 8)
    described = profiles(planted(1, groups))
    places = plane(described, seed=0)
    assert places.shape == (16, 2)
    distance = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    assert (groups[distance.argmin(1)] == groups).all()
    np.testing.assert_array_equal(places, plane(described, seed=0))
