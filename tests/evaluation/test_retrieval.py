from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mashnet.evaluation.retrieval import (
    FIRST_PLACES,
    draw_opponents,
    first_place_shares,
    placements_of,
)

# Few distinct scores, so that ties are the rule; few candidates, so that every order can be tried.
SHAPES = st.tuples(st.integers(1, 4), st.integers(1, 5))


@st.composite
def cases(draw):
    shape = draw(SHAPES)
    scores = draw(arrays(np.float64, shape, elements=st.sampled_from([-1.0, 0.0, 0.5])))
    relevant = np.array(draw(st.lists(st.integers(0, shape[1] - 1), min_size=shape[0],
                                      max_size=shape[0])))  # fmt: skip
    masks = [draw(arrays(np.bool_, shape)) for _ in range(3)]
    masks[0][np.arange(shape[0]), relevant] = False
    return scores, relevant, *masks


def orders(row, columns):
    """Every order of the columns, best first, that a sort could leave them in."""
    for order in itertools.permutations(columns):
        if all(row[a] >= row[b] for a, b in itertools.pairwise(order)):
            yield order


@given(cases())
def test_places_agree_with_sorting_in_every_possible_order(case):
    scores, relevant, left_out, _, _ = case
    placement = placements_of(scores, relevant, left_out)
    for query, row in enumerate(scores):
        columns = np.flatnonzero(~left_out[query])
        ranks = [order.index(relevant[query]) + 1 for order in orders(row, columns)]
        assert placement.candidates[query] == len(columns)
        assert placement.rank[query] == pytest.approx(np.mean(ranks))
        for k in range(1, 7):
            recalled = np.mean([rank <= k for rank in ranks])
            assert placement.top_k(k)[query] == pytest.approx(recalled)
        before = np.mean([(rank - 1) / max(len(columns) - 1, 1) for rank in ranks])
        assert placement.normalised_rank[query] == pytest.approx(before)


@given(cases())
def test_what_stands_first_agrees_with_sorting_in_every_possible_order(case):
    scores, _, left_out, track, instrument = case
    shares = first_place_shares(scores, track, instrument, left_out)
    for query, row in enumerate(scores):
        kinds = []
        for order in orders(row, np.flatnonzero(~left_out[query])):
            of_track, of_instrument = track[query, order[0]], instrument[query, order[0]]
            kinds.append(
                "right_track_and_instrument" if of_track and of_instrument
                else "right_track_only" if of_track
                else "right_instrument_only" if of_instrument
                else "neither"
            )  # fmt: skip
        expected = [kinds.count(kind) / len(kinds) for kind in FIRST_PLACES]
        assert shares[query] == pytest.approx(expected)


@given(st.integers(2, 30), st.integers(0, 1000))
def test_without_ties_it_is_the_published_procedure(count, seed):
    """Stem-JEPA: distances sorted upwards, the rank of the right one, recall from its counts."""
    distances = np.random.default_rng(seed).permutation(count**2).reshape(count, count)
    right = np.arange(count)
    ranks = 1 + (np.argsort(distances, axis=1) == right[:, None]).argmax(axis=1)
    placement = placements_of(-distances, right)
    assert placement.rank.tolist() == ranks.tolist()
    for k in (1, 5, 10):
        assert placement.top_k(k).mean() == pytest.approx((ranks <= k).mean())
    assert np.abs(placement.normalised_rank - ranks / count).max() <= 1 / count + 1e-12


@given(st.integers(2, 50), st.integers(1, 60))
def test_constant_scores_get_chance_and_perfect_ones_get_everything(count, k):
    right = np.arange(count)
    constant = placements_of(np.full((count, count), 0.3), right)
    assert constant.top_k(k) == pytest.approx(min(1, k / count))
    assert constant.normalised_rank == pytest.approx(0.5)
    perfect = placements_of(np.eye(count), right)
    assert perfect.top_k(1).tolist() == [1] * count
    assert perfect.normalised_rank.tolist() == [0] * count


def test_by_hand():
    # Two songs of two stems: guitar, drums; guitar, bass. The query for stem i is row i.
    scores = np.array(
        [
            [0.5, 0.9, 0.1, 0.0],  # its own drums stand before it
            [0.2, 0.2, 0.2, 0.1],  # level with both guitars
            [0.9, 0.0, 0.8, 0.1],  # the other song's guitar stands before it
            [0.0, 0.4, 0.3, 0.3],  # the drums before it, its own guitar level with it
        ]
    )
    track = np.kron(np.eye(2), np.ones((2, 2))).astype(bool)
    instrument = np.eye(4, dtype=bool)
    instrument[0, 2] = instrument[2, 0] = True
    own = track & ~np.eye(4, dtype=bool)

    placement = placements_of(scores, np.arange(4))
    assert placement.rank.tolist() == [2, 2, 2, 2.5]
    assert placement.top_k(1).tolist() == pytest.approx([0, 1 / 3, 0, 0])
    assert placement.top_k(2).tolist() == pytest.approx([1, 2 / 3, 1, 0.5])
    others = placements_of(scores, np.arange(4), own)
    assert others.candidates.tolist() == [3, 3, 3, 3]
    assert others.rank.tolist() == [1, 1.5, 2, 2]
    assert others.normalised_rank.tolist() == [0, 0.25, 0.5, 0.5]

    first = first_place_shares(scores, track, instrument)
    assert first[0].tolist() == [0, 1, 0, 0]  # its own drums
    assert first[1].tolist() == pytest.approx([1 / 3, 1 / 3, 0, 1 / 3])
    assert first[2].tolist() == [0, 0, 1, 0]  # the other guitar
    assert first[3].tolist() == [0, 0, 0, 1]  # the other song's drums
    first = first_place_shares(scores, track, instrument, own)
    assert first[0].tolist() == [1, 0, 0, 0]


@given(st.lists(st.sampled_from("abcde"), min_size=1, max_size=40), st.integers(1, 12))
def test_opponents_are_of_other_songs_and_spread_over_them(songs, count):
    drawn = draw_opponents(songs, count, seed=3)
    most = max(songs.count(song) for song in songs)
    if len(songs) - most < count:
        assert drawn is None
        return
    assert drawn.shape == (len(songs), count)
    names = np.array(songs)
    for own, opponents in zip(songs, drawn, strict=True):
        assert len(set(opponents)) == count
        times = {song: list(names[opponents]).count(song) for song in set(songs) - {own}}
        assert sum(times.values()) == count  # none of the same song
        for song, number in times.items():
            # A song is asked less often than another only once it has no more to give.
            assert number == songs.count(song) or number >= max(times.values()) - 1
    assert np.array_equal(drawn, draw_opponents(songs, count, seed=3))


def test_opponents_differ_from_item_to_item_and_by_seed():
    songs = [str(index // 5) for index in range(100)]
    drawn = draw_opponents(songs, 10, seed=0)
    assert len({tuple(sorted(row)) for row in drawn}) == 100
    assert not np.array_equal(drawn, draw_opponents(songs, 10, seed=1))
    # Everybody is drawn about as often: 100 × 10 places for 100 items.
    assert np.bincount(drawn.ravel(), minlength=100).max() <= 25
    assert draw_opponents([], 1, seed=0) is None


@pytest.mark.parametrize(
    ("scores", "relevant", "left_out", "message"),
    [
        (np.zeros((0, 3)), [], None, "row per query"),
        (np.zeros(3), [0, 0, 0], None, "row per query"),
        ([[0.0, np.nan]], [0], None, "1 scores are not finite"),
        ([[0.0, 1.0]], [0, 1], None, "1 queries"),
        ([[0.0, 1.0]], [0], [[True, False]], "among those left out"),
        ([[0.0, 1.0]], [0], [True], "left_out has shape"),
    ],
)
def test_what_cannot_be_placed_is_refused(scores, relevant, left_out, message):
    with pytest.raises(ValueError, match=message):
        placements_of(np.array(scores), np.array(relevant), left_out)


def test_first_places_of_nothing_are_refused():
    scores = np.zeros((1, 2))
    with pytest.raises(ValueError, match="same_instrument has shape"):
        first_place_shares(scores, scores, np.zeros((2, 2)))
    with pytest.raises(ValueError, match="no candidate"):
        first_place_shares(scores, scores, scores, np.ones((1, 2)))
