from __future__ import annotations

import numpy as np
import pytest

from mashnet.errors import DatabaseError
from mashnet.evaluation.protocols.mix_classification.protocol import run
from mashnet.evaluation.statistics import Bootstrap
from mashnet.models.rules.alignment import AlignmentScorer
from mashnet.models.rules.keytempo import KeytempoScorer
from mashnet.models.rules.random import RandomScorer

FAST = Bootstrap(num_resamples=100)
KINDS = ("original", "matched", "unmatched_key", "unmatched_tempo", "unmatched_key_tempo")


def rows(songs, splits=("val", "test")):
    return [
        (kind, f"{split}{song}", split)
        for split in splits
        for song in range(songs)
        for kind in KINDS
    ]


def values(outcome, scorer):
    result = next(r for r in outcome.results if r.scorer == scorer)
    return {name: estimate.value for name, estimate in result.metrics.items()}


def test_figures_by_hand(named_source, told):
    source = named_source(rows(2))
    given = iter([0.9, 0.5, 0.6, 0.1, 0.2, 0.4, 0.5, 0.3, 0.1, 0.2])
    answers = {
        r.mix_id: next(given) if r.split == "test" else 0.5 + 0.4 * (r.condition == "original")
        for r in source.rows
    }
    outcome = run([told("net", answers, is_probability=True)], source, bootstrap=FAST)
    found = values(outcome, "net")
    # Right: 0.9 of the originals (0.4 is not), and all unmatched but the 0.6: 6 of 8.
    assert found["accuracy"] == pytest.approx(6 / 8)
    assert found["balanced_accuracy"] == pytest.approx((1 / 2 + 5 / 6) / 2)
    assert found["f1"] == pytest.approx(2 * 1 / (2 + 2))
    assert found["auc"] == pytest.approx((6 + 5) / 12)
    assert found["accuracy_original"] == 0.5
    assert found["accuracy_unmatched_key"] == 0.5
    assert found["accuracy_unmatched_tempo"] == 1.0
    assert found["auc_unmatched_key"] == pytest.approx(3 / 4)
    assert found["mean_score_matched"] == pytest.approx(0.5)
    assert outcome.metrics["accuracy"].chance == pytest.approx(0.75)
    assert outcome.results[0].metrics["accuracy"].n == 8
    assert outcome.results[0].facts["threshold"] == "0.5"


def test_every_metric_is_explained_and_every_mix_is_in_the_table(named_source, told):
    source = named_source(rows(3))
    answers = {r.mix_id: i / 100 for i, r in enumerate(source.rows)}
    outcome = run([told("a", answers), told("b", answers)], source, bootstrap=FAST)
    assert set(outcome.results[0].metrics) == set(outcome.metrics)
    assert outcome.scores.height == 2 * 15
    assert not any(comparison.told_apart for comparison in outcome.comparisons)
    assert all(comparison.difference.value == 0 for comparison in outcome.comparisons)


def test_the_threshold_of_other_scales_comes_from_validation(named_source, told):
    """Scores around 1000 that part the classes at 1005 on validation are judged there on test."""
    source = named_source(rows(6))
    answers = {
        r.mix_id: 1010.0 + i % 3 if r.condition == "original" else 1000.0 + i % 3
        for i, r in enumerate(source.rows)
    }
    outcome = run([told("rule", answers)], source, bootstrap=FAST)
    assert values(outcome, "rule")["accuracy"] == 1.0
    assert outcome.results[0].facts["threshold"] == "0.5 after calibration"
    # The same scores on test, with a validation split that knows another threshold.
    moved = {
        r.mix_id: answers[r.mix_id] - (100.0 if r.split == "val" else 0.0) for r in source.rows
    }
    assert values(run([told("rule", moved)], source, bootstrap=FAST), "rule")["accuracy"] == 0.25


def test_test_labels_do_not_reach_the_threshold(named_source, told):
    source = named_source(rows(6))
    generator = np.random.default_rng(0)
    answers = {r.mix_id: float(generator.normal()) for r in source.rows}
    first = run([told("rule", answers)], source, bootstrap=FAST)
    swapped = named_source(
        [
            (
                {"original": "unmatched_key", "unmatched_key": "original"}.get(c, c)
                if s == "test"
                else c,
                song,
                s,
            )
            for c, song, s in rows(6)
        ]
    )
    second = run([told("rule", answers)], swapped, bootstrap=FAST)
    columns = ("mix_id", "probability")
    assert (
        first.scores.sort("mix_id")
        .select(columns)
        .equals(second.scores.sort("mix_id").select(columns))
    )


@pytest.mark.parametrize("split", ["all", "val"])
def test_without_a_split_apart_songs_are_crossfitted(named_source, told, split):
    source = named_source(rows(6), split=split)
    answers = {r.mix_id: float(r.condition == "original") for r in source.rows}
    outcome = run([told("rule", answers)], source, bootstrap=FAST)
    assert outcome.results[0].facts["calibration"] == "cross-fitted by song"
    assert values(outcome, "rule")["accuracy"] == 1.0


def test_a_split_without_originals_is_refused_with_the_command_that_helps(named_source, told):
    source = named_source([("matched", "a", "test"), ("unmatched_key", "a", "test")])
    with pytest.raises(DatabaseError, match="original.*data_pipelines.mixes"):
        run([told("rule", {})], source, bootstrap=FAST)
    source = named_source([("original", "a", "test")])
    with pytest.raises(DatabaseError, match="unmatched_key"):
        run([told("rule", {})], source, bootstrap=FAST)


def test_a_scorer_that_answers_nonsense_is_named(named_source, told):
    source = named_source(rows(2))
    answers = {r.mix_id: float("nan") for r in source.rows}
    with pytest.raises(ValueError, match="broken answered"):
        run([told("broken", answers)], source, bootstrap=FAST)


def test_rules_that_listen_beat_the_one_that_does_not(fake_source):
    scorers = [AlignmentScorer(), KeytempoScorer(), RandomScorer()]
    outcome = run(scorers, fake_source, bootstrap=FAST)
    for rule in ("alignment", "keytempo"):
        found = values(outcome, rule)
        assert found["auc"] > 0.95
        assert found["accuracy"] > 0.9
        assert found["mean_score_matched"] > found["mean_score_unmatched_key_tempo"]
    assert values(outcome, "random")["auc"] < 0.85
    auc = [c for c in outcome.comparisons if (c.metric, c.second) == ("auc", "random")]
    assert auc[0].told_apart
