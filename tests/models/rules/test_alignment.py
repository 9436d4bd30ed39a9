from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mashnet.audio.descriptors import SAMPLE_RATE
from mashnet.data.parts import ArrayPart
from mashnet.models.rules.alignment import WEIGHTS, AlignmentScorer
from mashnet.scoring import EmbeddingScorer
from tests.triads import triads

BEATS = np.arange(0.25, 10, 0.5)
SYNCOPATED = np.sort(np.random.default_rng(1).uniform(0.1, 9.9, 20))


@pytest.fixture(scope="module")
def scorer():
    return AlignmentScorer()


@pytest.fixture(scope="module")
def query():
    return {"vocal": triads(BEATS, 0)}


def test_the_same_sound_scores_one(scorer, query):
    assert scorer.score(query, [{"harmonic": query["vocal"]}]).item() == pytest.approx(1, abs=1e-5)


def test_each_way_of_not_fitting_costs(scorer, query):
    fits, late, other_tempo, other_key, other_rhythm = scorer.score(
        query,
        [
            {"harmonic": triads(BEATS, 0), "percussion": triads(BEATS, None)},
            {"harmonic": triads(BEATS + 0.13, 0), "percussion": triads(BEATS + 0.13, None)},
            {"harmonic": triads(BEATS * 0.87, 0), "percussion": triads(BEATS * 0.87, None)},
            {"harmonic": triads(BEATS, 6), "percussion": triads(BEATS, None)},
            {"harmonic": triads(SYNCOPATED, 0), "percussion": triads(SYNCOPATED, None)},
        ],
    ).tolist()
    assert fits > 0.9
    assert late < fits - 12 / 33 * 0.9  # lag zero is lost, the metre is not
    assert other_tempo < late - 0.2
    assert other_key < fits - 9 / 33 * 0.9
    assert other_rhythm < late


def test_percussion_alone_brings_no_pitch(scorer, query):
    """9 of 33 parts of the weight are pitch: what is left cannot exceed 24/33."""
    only_percussion = scorer.score(query, [{"percussion": query["vocal"]}]).item()
    assert only_percussion == pytest.approx(24 / 33, abs=1e-5)


def test_scores_do_not_depend_on_the_batch(scorer, query):
    candidates = [
        {"harmonic": triads(BEATS, tonic, seconds)}
        for tonic, seconds in ((0, 10), (3, 27.3), (7, 4))
    ]
    together = scorer.score(query, candidates)
    alone = torch.cat([AlignmentScorer().score(query, [c]) for c in reversed(candidates)])
    assert together.flip(0).numpy() == pytest.approx(alone.numpy(), abs=1e-6)


def test_all_pairs_are_one_product(scorer):
    groups = [{"harmonic": triads(BEATS, tonic, 12)} for tonic in (0, 2, 5)]
    queries = [{"vocal": triads(SYNCOPATED, tonic, 17)} for tonic in (1, 4)]
    pairs = scorer.similarity(scorer.embed_query(queries), scorer.embed_candidate(groups))
    assert pairs.shape == (2, 3)
    for row, query in enumerate(queries):
        assert pairs[row].numpy() == pytest.approx(scorer.score(query, groups).numpy(), abs=1e-6)
    assert isinstance(scorer, EmbeddingScorer)


def test_the_whole_input_is_heard(scorer):
    """A change in the third window of the accompaniment is still noticed."""
    late = np.concatenate([BEATS, BEATS + 20])
    query = {"vocal": triads(late, 0, 30)}
    moved = np.concatenate([BEATS, BEATS + 20.13])
    good, bad = scorer.score(
        query, [{"harmonic": triads(late, 0, 30)}, {"harmonic": triads(moved, 0, 30)}]
    ).tolist()
    assert good > bad + 0.1


def test_windows_in_which_one_side_is_silent_say_nothing(scorer):
    query = {"vocal": triads(BEATS, 0, 30)}  # sounds in the first window only
    busy = np.concatenate([BEATS, SYNCOPATED + 10, SYNCOPATED + 20])
    score = scorer.score(query, [{"harmonic": triads(busy, 0, 30)}]).item()
    assert score == pytest.approx(1.0, abs=0.05)


def test_a_short_last_window_weighs_by_its_length():
    """10 s that fit and 1 s that does not: a little below the score of the first ten."""
    scorer = AlignmentScorer()
    query = {"vocal": triads(np.append(BEATS, 10.2), 0, 11)}
    wrong_end = {"harmonic": triads(np.append(BEATS, 10.7), 0, 11)}
    score = scorer.score(query, [wrong_end]).item()
    assert 1 - 2 * 1 / 11 < score < 1 - 0.2 * 1 / 11


@pytest.mark.parametrize("samples", [0, 1, 399, 160_000])
def test_silence_gives_finite_numbers(scorer, query, samples):
    silence = ArrayPart(np.zeros(samples, dtype=np.float32), SAMPLE_RATE)
    assert scorer.score(query, [{"harmonic": silence}]).tolist() == [0.0]
    assert scorer.score({"vocal": silence}, [{"harmonic": silence}]).tolist() == [0.0]


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 40_000), st.integers(1, 40_000), st.integers(0, 2**31))
def test_any_sound_scores_within_minus_one_and_one(first, second, seed):
    generator = np.random.default_rng(seed)
    one, two = (
        ArrayPart(generator.standard_normal(n).astype(np.float32), SAMPLE_RATE)
        for n in (first, second)
    )
    score = AlignmentScorer().score({"vocal": one}, [{"harmonic": two}]).item()
    assert -1.0001 <= score <= 1.0001


def test_a_part_is_encoded_once(query):
    class Counted(ArrayPart):
        reads = 0

        def waveform(self, sample_rate):
            Counted.reads += 1
            return super().waveform(sample_rate)

    part = Counted(query["vocal"].samples, SAMPLE_RATE)
    scorer = AlignmentScorer()
    for _ in range(3):
        scorer.score(query, [{"harmonic": part}, {"harmonic": part}])
    assert Counted.reads == 1


def test_the_callers_samples_stay_as_they_are(scorer, query):
    before = query["vocal"].samples.copy()
    scorer.score(query, [{"harmonic": query["vocal"]}])
    assert np.array_equal(before, query["vocal"].samples)


@pytest.mark.parametrize(
    "settings",
    [{"window_s": 2.0}, {"weights": {"onset": 1.0}}, {"weights": dict.fromkeys(WEIGHTS, 0.0)}],
)
def test_settings_that_make_no_sense_are_refused(settings):
    with pytest.raises(ValueError, match="must be"):
        AlignmentScorer(**settings)
