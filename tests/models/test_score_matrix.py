from __future__ import annotations

import numpy as np
import pytest
import torch

from mashnet.models import score_matrix as module
from mashnet.models.rules.alignment import AlignmentScorer
from mashnet.models.score_matrix import score_matrix
from tests.evaluation.conftest import NamedPart
from tests.triads import triads

GROUPS = [{"harmonic": NamedPart(str(number))} for number in range(5)]
CHOSEN = np.array([[4, 0], [1, 1], [2, 3], [0, 4], [3, 3]])


def number(group):
    return float(group["harmonic"].part_id)


class Plain:
    """Ten times the query's number plus the candidate's."""

    name = "plain"

    def score(self, query, candidates):
        return torch.tensor([10 * number(query) + number(c) for c in candidates])


class Embedding(Plain):
    """The same, as an EmbeddingScorer that counts what it encodes."""

    name = "embedding"

    def __init__(self):
        self.encoded = []

    def embed_query(self, queries):
        self.encoded.append(len(queries))
        return torch.tensor([number(query) for query in queries])

    def embed_candidate(self, candidates):
        return self.embed_query(candidates)

    def similarity(self, queries, candidates):
        return 10 * queries[:, None] + candidates


@pytest.mark.parametrize("block", [2, 256])
def test_all_pairs_or_those_that_are_chosen(monkeypatch, block):
    monkeypatch.setattr(module, "_BLOCK", block)
    expected = 10.0 * np.arange(5)[:, None] + np.arange(5)
    for scorer in (Plain(), Embedding()):
        assert score_matrix(scorer, GROUPS, GROUPS).tolist() == expected.tolist()
        chosen = score_matrix(scorer, GROUPS, GROUPS, chosen=CHOSEN)
        assert chosen.tolist() == np.take_along_axis(expected, CHOSEN, axis=1).tolist()


def test_an_embedding_scorer_encodes_each_group_once():
    scorer = Embedding()
    score_matrix(scorer, GROUPS[:3], GROUPS)
    assert scorer.encoded == [3, 5]


def test_a_real_rule_says_the_same_either_way():
    scorer = AlignmentScorer()
    sounds = [{"harmonic": triads(np.arange(0, 6, s), 3, seconds=6.0)} for s in (0.5, 0.6, 0.45)]
    table = score_matrix(scorer, sounds, sounds)
    for row, query in zip(table, sounds, strict=True):
        assert row == pytest.approx(scorer.score(query, sounds).numpy(), abs=1e-6)


class Answering(Plain):
    """Always answers the same."""

    def __init__(self, answer):
        self.answer = torch.tensor(answer)

    def score(self, query, candidates):
        return self.answer


@pytest.mark.parametrize(
    ("answer", "message"),
    [([1.0, 2.0], "scores of other shapes"), ([1.0, float("nan"), 0.0, 0.0, 0.0], "5 scores")],
)
def test_answers_that_mean_nothing_are_refused(answer, message):
    with pytest.raises(ValueError, match=message):
        score_matrix(Answering(answer), GROUPS, GROUPS)
