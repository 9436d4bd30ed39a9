from __future__ import annotations

import pytest

from mashnet.errors import DatabaseError
from mashnet.evaluation.protocols.mashup_retrieval.protocol import run
from mashnet.evaluation.statistics import Bootstrap

FAST = Bootstrap(num_resamples=100)
# Two songs with two matched mixes each, one whose vocal has none, one foreign split.
ROWS = [
    ("original", "a", "test"), ("matched", "a", "test"), ("matched", "a", "test"),
    ("original", "b", "test"), ("matched", "b", "test"), ("matched", "b", "test"),
    ("original", "c", "test"), ("unmatched_key", "c", "test"), ("matched", "d", "train"),
]  # fmt: skip


def ranked(source, told, scores, **settings):
    answers = dict(zip([r.mix_id for r in source.rows], scores, strict=True))
    outcome = run([told("net", answers)], source, bootstrap=FAST, **settings)
    return outcome, {name: e.value for name, e in outcome.results[0].metrics.items()}


def test_ranks_by_hand(named_source, told):
    source = named_source(ROWS)
    # a: 0.9 over all (rank 1), per vocal rank 1. b: 0.5; 0.8, 0.6 above it: rank 3, per vocal 2.
    # c: 0.1, all four above: rank 5. The unmatched and the training mix count nowhere.
    outcome, found = ranked(source, told, [0.9, 0.8, 0.3, 0.5, 0.6, 0.2, 0.1, 1.0, 1.0])
    assert found["average_rank"] == pytest.approx((1 + 3 + 5) / 3)
    assert found["median_rank"] == 3
    assert found["top_1"] == pytest.approx(1 / 3)
    assert found["top_5"] == 1
    assert found["normalised_rank_mean"] == pytest.approx((0 + 0.5 + 1) / 3)
    assert found["average_rank_per_vocal"] == pytest.approx((1 + 2) / 2)
    assert found["top_1_per_vocal"] == 0.5
    assert found["normalised_rank_mean_per_vocal"] == pytest.approx(0.25)
    facts = outcome.results[0].facts
    assert facts["candidates"] == 5
    assert facts["candidates_per_vocal_mean"] == 3
    assert outcome.results[0].metrics["average_rank"].n == 3
    assert outcome.results[0].metrics["average_rank_per_vocal"].n == 2
    assert set(found) == set(outcome.metrics)


def test_a_constant_scorer_gets_exactly_chance(named_source, told):
    outcome, found = ranked(named_source(ROWS), told, [0.5] * 9)
    for name, metric in outcome.metrics.items():
        if metric.chance is not None:
            assert found[name] == pytest.approx(metric.chance), name


def test_without_a_vocal_in_both_it_says_what_to_do(named_source, told):
    source = named_source([("original", "a", "test"), ("matched", "b", "test")])
    with pytest.raises(DatabaseError, match="no vocal.*data_pipelines.mixes"):
        ranked(source, told, [0.1, 0.2])


def test_without_matched_mixes_it_says_what_to_do(named_source, told):
    with pytest.raises(DatabaseError, match="matched with artefact_control=false"):
        ranked(named_source([("original", "a", "test")]), told, [0.1])
