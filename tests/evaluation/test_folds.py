"""Pooling folds: only who wins inside a fold counts, and one fold gives what evaluate.py gives."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mashnet.errors import ConfigError
from mashnet.evaluation.folds import cross_validated, read_folds
from mashnet.evaluation.metrics import auc
from mashnet.evaluation.protocols.mashup_retrieval import protocol as mashup_retrieval
from mashnet.evaluation.protocols.mix_classification import protocol as mix_classification
from mashnet.evaluation.protocols.mix_classification.folds import auc_within
from mashnet.evaluation.report import write_report
from mashnet.evaluation.results import write_outcome
from mashnet.evaluation.statistics import Bootstrap

FAST = Bootstrap(num_resamples=100)
KINDS = ("original", "matched", "matched", "unmatched_key", "unmatched_tempo")


def fold(named_source, told, folder, protocol, songs, *, raised=0.0, seed=0, control=False):
    """Write the results of one fold, in which a Scorer and a constant one were asked."""
    source = named_source([(kind, song, "test") for song in songs for kind in KINDS])
    source.artefact_control = control
    values = np.random.default_rng(seed).random(len(source.rows)) + raised
    answers = {recipe.mix_id: value for recipe, value in zip(source.rows, values, strict=True)}
    scorers = [told("net", answers), told("constant", dict.fromkeys(answers, 0.5))]
    outcome = protocol.run(scorers, source, bootstrap=FAST)
    write_outcome(replace(outcome, plots=[]), folder)  # which nobody looks at here
    return outcome


@pytest.mark.parametrize("protocol", [mix_classification, mashup_retrieval])
def test_one_fold_gives_the_figures_of_the_protocol(protocol, named_source, told, tmp_path):
    outcome = fold(named_source, told, tmp_path, protocol, "abcdef")
    pooled = cross_validated(read_folds([tmp_path]), FAST)
    for one, theirs in zip(pooled.results, outcome.results, strict=True):
        assert len(one.metrics) >= 4
        for name, estimate in one.metrics.items():
            assert estimate == theirs.metrics[name], name
    expected = {(c.metric, c.second): c.difference for c in outcome.comparisons}
    found = {(c.metric, c.second): c.difference for c in pooled.comparisons}
    assert expected.items() <= found.items()
    assert pooled.results[0].facts == {"folds": 1, "artefact_control": False}
    write_report(pooled, tmp_path / "report.html", command="x")
    assert "held out in turn" in (tmp_path / "report.html").read_text("utf-8")


@pytest.mark.parametrize("protocol", [mix_classification, mashup_retrieval])
def test_the_scale_of_a_fold_does_not_matter(protocol, named_source, told, tmp_path):
    figures = []
    for raised in (0.0, 100.0):
        folders = [tmp_path / f"{raised}-{number}" for number in range(2)]
        fold(named_source, told, folders[0], protocol, "abc", seed=1)
        fold(named_source, told, folders[1], protocol, "def", seed=2, raised=raised)
        metrics = cross_validated(read_folds(folders), FAST).results[0].metrics
        figures.append({name: e for name, e in metrics.items() if "calibrated" not in name})
    assert figures[0] == figures[1]


def test_auc_within_by_hand():
    scores = np.array([0.2, 0.1, 0.3, 9.0, 8.0, 8.0])
    labels = np.array([True, False, False, True, False, True])
    folds = np.array([0, 0, 0, 1, 1, 1])
    # Fold 0: 0.2 above 0.1, below 0.3: 1 of 2. Fold 1: 9 above 8, 8 equals 8: 1.5 of 2.
    assert auc_within(scores, labels, folds) == pytest.approx(2.5 / 4)
    assert np.isnan(auc_within(scores[:1], labels[:1], folds[:1]))


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1))
def test_auc_within_one_fold_is_auc(items):
    scores, labels = (np.array(column) for column in zip(*items, strict=True))
    one = auc_within(scores, labels, np.zeros(len(items)))
    assert one == pytest.approx(auc(scores, labels), nan_ok=True)


def test_ranks_of_two_folds_by_hand(named_source, told, tmp_path):
    for number, (song, values) in enumerate({"a": [0.5, 0.9, 0.1], "b": [3, 1, 2]}.items()):
        source = named_source([(kind, song, "test") for kind in KINDS[:3]])
        answers = {recipe.mix_id: v for recipe, v in zip(source.rows, values, strict=True)}
        outcome = mashup_retrieval.run([told("net", answers)], source, bootstrap=FAST)
        write_outcome(replace(outcome, plots=[]), tmp_path / str(number))
    pooled = cross_validated(read_folds([tmp_path / "0", tmp_path / "1"]), FAST)
    # a: second of three; b: first of three, though a's matched mixes never met it.
    assert pooled.results[0].metrics["average_rank"].value == 1.5
    assert pooled.results[0].metrics["average_rank"].n == 2


def test_what_does_not_belong_together(named_source, told, tmp_path):
    fold(named_source, told, tmp_path / "a", mix_classification, "abc")
    fold(named_source, told, tmp_path / "b", mashup_retrieval, "def")
    fold(named_source, told, tmp_path / "c", mix_classification, "cde")
    fold(named_source, told, tmp_path / "d", mix_classification, "de", control=True)
    with pytest.raises(ConfigError, match="all be of one artefact_control, found False, True"):
        read_folds([tmp_path / "a", tmp_path / "d"])
    with pytest.raises(ConfigError, match="folds of one protocol"):
        read_folds([tmp_path / "a", tmp_path / "b"])
    with pytest.raises(ConfigError, match="more than one fold"):
        read_folds([tmp_path / "a", tmp_path / "c"])
    with pytest.raises(ConfigError, match="holds no results of evaluate.py"):
        read_folds([tmp_path])
    fewer = pl.read_parquet(tmp_path / "a" / "scores.parquet").filter(pl.col("scorer") == "net")
    fewer.write_parquet(tmp_path / "a" / "scores.parquet")
    with pytest.raises(ConfigError, match="different Scorers"):
        read_folds([tmp_path / "a", tmp_path / "c"])
