"""From windows to scores, with networks small enough to follow by hand."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest
import torch

from mashnet.data.parts import ArrayPart, Query
from mashnet.data.stems.frontend import StemFrontend
from mashnet.models.scorer import EmbeddingScorer
from mashnet.models.stems.scoring import StemNetwork, StemScorer

RATE = 1000
WINDOW_S = 4.0


class Meeting(StemNetwork):
    """Hears the levels of three stretches of a second; the context turns them round."""

    sample_rate = RATE
    windows_meet: ClassVar[bool] = True

    def __init__(self):
        super().__init__()
        self.gain = torch.nn.Parameter(torch.ones(()))
        self.texts = []
        self.lengths = []

    def levels(self, waves):
        self.lengths.append(waves.shape[1])
        filled = torch.nn.functional.pad(waves, (0, 4000 - waves.shape[1]))
        return self.gain * filled[:, :3000].unflatten(1, (3, 1000)).mean(-1)

    def embed_context(self, waves, instruments):
        assert len(instruments) == len(waves)
        self.texts += instruments
        return self.levels(waves).flip(1)

    def embed_target(self, waves):
        return self.levels(waves)


class Averaging(Meeting):
    windows_meet: ClassVar[bool] = False


def scorer_of(kind):
    return StemScorer(kind(), StemFrontend(sample_rate=RATE, window_s=WINDOW_S), name="toy")


def part(*levels, tail_s=0.0):
    """Seconds of constant level."""
    samples = np.concatenate([np.repeat(levels, 1000), np.zeros(round(tail_s * RATE))])
    return ArrayPart(samples.astype(np.float32), RATE)


def context(*levels):
    return {"context": part(*levels)}


def target(*levels):
    return {"target": part(*levels)}


def test_the_score_is_the_mean_over_common_windows_by_hand():
    scorer = scorer_of(Meeting)
    assert isinstance(scorer, EmbeddingScorer)
    # Windows of four seconds: the context has two and a half, the target one and three quarters.
    query = context(0.5, 0.0, 1.0, 0.2, 0.1, 0.2, 0.3, 0.4, 0.7, 0.7)
    candidate = target(1.0, 0.5, 0.25, 0.9, 0.4, 0.3, 0.2)
    first = 0.5 * 0.25 + 0.0 * 0.5 + 1.0 * 1.0
    second = 0.1 * 0.2 + 0.2 * 0.3 + 0.3 * 0.4
    weight = (1.0 * 0.75) ** 0.5
    expected = (first + weight * second) / (1 + weight)
    assert scorer.score(query, [candidate]).item() == pytest.approx(expected, abs=1e-6)
    embedded = scorer.embed_query([query])
    assert embedded.shape == (1, 3, 4) and embedded[0, :, 0].tolist() == [1.0, 1.0, 0.5]


def test_a_silent_window_says_nothing():
    scorer = scorer_of(Meeting)
    sounding = target(1.0, 0.5, 0.25, 0.9, 0.4, 0.3, 0.2, 0.1)
    gap = target(1.0, 0.5, 0.25, 0.9, 0.0, 0.0, 0.0, 0.0)
    end = target(1.0, 0.5, 0.25, 0.9)
    query = context(0.5, 0.0, 1.0, 0.2, 0.1, 0.2, 0.3, 0.4)
    quiet_start = context(0.0, 0.0, 0.0, 0.0, 0.1, 0.2, 0.3, 0.4)
    scores = scorer.score(query, [sounding, gap, end])
    assert scores[1] == scores[2] == pytest.approx(0.5 * 0.25 + 1.0, abs=1e-6)
    assert scores[0] == pytest.approx((1.125 + 0.1 * 0.2 + 0.2 * 0.3 + 0.3 * 0.4) / 2, abs=1e-6)
    # Without a window in which both sound there is nothing to be said.
    assert scorer.score(quiet_start, [gap, end]).tolist() == [0.0, 0.0]
    silent = target(0.0, 0.0, 0.0)
    assert scorer.score(query, [silent]).tolist() == [0.0]
    assert scorer.embed_candidate([silent]).isfinite().all()


def test_averaging_networks_give_the_cosine_of_the_means():
    scorer = scorer_of(Averaging)
    query = context(0.5, 0.0, 1.0, 0.2, 0.1, 0.2, 0.3, 0.4, 0.7, 0.8)
    candidate = target(1.0, 0.5, 0.25, 0.9)
    # The third window of the context counts half, and its missing stretch is silent.
    mean = np.array([1.0, 0.0, 0.5]) + np.array([0.3, 0.2, 0.1]) + 0.5 * np.array([0, 0.8, 0.7])
    other = np.array([1.0, 0.5, 0.25])
    expected = mean @ other / np.linalg.norm(mean) / np.linalg.norm(other)
    assert scorer.score(query, [candidate]).item() == pytest.approx(expected, abs=1e-6)
    embedded = scorer.embed_query([query])
    assert embedded.shape == (1, 1, 4) and embedded[0, 0, 0] == 1
    assert embedded[0, 0, 1:].norm() == pytest.approx(1.0)
    silent = target(0.0, 0.0, 0.0)
    assert scorer.score(query, [silent, candidate])[0] == 0
    assert not scorer.embed_candidate([silent]).any()


@pytest.mark.parametrize("kind", [Meeting, Averaging])
def test_alone_or_among_64_the_score_is_the_same(kind):
    scorer = scorer_of(kind)
    random = np.random.default_rng(0)
    groups = [
        target(*random.uniform(0, 1, random.integers(1, 30)) * (random.random() > 0.1))
        for _ in range(64)
    ]
    queries = [context(*random.uniform(0, 1, random.integers(1, 30))) for _ in range(5)]
    matrix = scorer.similarity(scorer.embed_query(queries), scorer.embed_candidate(groups))
    assert matrix.shape == (5, 64)
    for row, query in enumerate(queries):
        together = scorer.score(query, groups)
        alone = torch.cat([scorer.score(query, [group]) for group in groups])
        torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)
        torch.testing.assert_close(matrix[row], alone, atol=1e-5, rtol=0)
    assert scorer.score(queries[0], []).shape == (0,)


def test_windows_are_passed_in_batches_and_come_back_in_order():
    scorer = scorer_of(Meeting)
    levels = np.arange(1, 40 * 4 + 1) / 200
    embedded = scorer.embed_candidate([target(*levels)])[0]
    assert embedded.shape == (40, 4)
    assert embedded[:, 1:].numpy() == pytest.approx(levels.reshape(40, 4)[:, :3], abs=1e-6)


def test_the_silent_end_of_the_last_window_is_not_heard():
    """In whole seconds, and never less than two: nothing that sounds is cut off."""
    scorer = scorer_of(Meeting)
    for seconds, lengths in (
        (9, [4000, 2000]),
        (10, [4000, 2000]),
        (11, [4000, 3000]),
        (1, [2000]),
    ):
        scorer.network.lengths.clear()
        scorer.embed_candidate([target(*[0.5] * seconds)])
        assert scorer.network.lengths == lengths
    samples = np.full(2300, 0.5, np.float32)
    scorer.network.lengths.clear()
    found = scorer.embed_candidate([{"target": ArrayPart(samples, RATE)}])
    assert scorer.network.lengths == [3000]
    assert found[0, 0, 1:].tolist() == pytest.approx([0.5, 0.5, 0.15])


def test_the_instrument_reaches_every_window_of_the_context():
    scorer = scorer_of(Meeting)
    group = context(*[0.5] * 9)
    scorer.embed_query([Query(group, instrument="fretless bass"), group, Query(group)])
    assert scorer.network.texts == ["fretless bass"] * 3 + [""] * 6


def test_sides_of_several_parts_are_sums():
    scorer = scorer_of(Averaging)
    parts = {"vocal": part(0.5, 0.2), "harmonic": part(0.1, 0.1, 0.3)}
    whole = context(0.6, 0.3, 0.3)
    candidate = target(0.2, 0.9, 0.4)
    apart, together = (scorer.score(query, [candidate]) for query in (parts, whole))
    torch.testing.assert_close(apart, together, atol=1e-6, rtol=0)
