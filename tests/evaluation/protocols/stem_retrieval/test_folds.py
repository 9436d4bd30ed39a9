"""Stem retrieval over folds: places count within a fold, and one fold is what evaluate.py gives."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mashnet.errors import ConfigError
from mashnet.evaluation.folds import cross_validated, read_folds
from mashnet.evaluation.protocols.stem_retrieval import protocol as stem_retrieval
from mashnet.evaluation.report import publish
from mashnet.evaluation.results import write_outcome
from mashnet.evaluation.statistics import Bootstrap
from tests.told_stems import CONSTANT, KNOWING, Rule, Stems

FAST = Bootstrap(num_resamples=50)


def guessing(seed, *, raised=0.0):
    """A network of some fold: a number of its own for every pair, on a scale of its own."""

    def rule(asked, answer, _):
        place = [int(number) for number in (*asked, *answer)]
        # Few values, so that there are ties.
        return np.random.default_rng([seed, *place]).integers(6) + raised

    return Rule("net", rule)


def evaluated(folder, source, *scorers, **settings):
    outcome = stem_retrieval.run(scorers, source, bootstrap=FAST, **settings)
    write_outcome(replace(outcome, plots=[]), folder)  # which nobody looks at here
    return outcome


def two_folds(folder, first, second, **of_second):
    """2 songs of 3 stems and 4 songs of 2; each Scorer is another one in the second fold."""
    folders = [folder / "0", folder / "1"]
    evaluated(folders[0], Stems(2), *first)
    others = Stems(4, labels=("guitar", "bass"), first_song=2, **of_second)
    evaluated(folders[1], others, *second)
    return cross_validated(read_folds(folders), FAST)


@pytest.mark.parametrize("labels", ["coarse", "fine"])
@pytest.mark.parametrize("most_chunks", [1000, 5])
def test_one_fold_gives_the_figures_of_the_protocol(tmp_path, labels, most_chunks):
    source = Stems(5, labels=("Guitar", "guitar", "bass", ""), most_chunks=most_chunks)
    outcome = evaluated(tmp_path, source, guessing(1), CONSTANT, KNOWING, labels=labels)
    pooled = cross_validated(read_folds([tmp_path]), FAST)
    assert ("top_1_of_64" in pooled.metrics) == (most_chunks == 1000)
    assert [result.scorer for result in pooled.results] == ["net", "constant", "knowing"]
    for one, theirs in zip(pooled.results, outcome.results, strict=True):
        assert one.metrics == theirs.metrics
        for fact in ("labels", "songs", "per_instrument"):
            assert one.facts[fact] == theirs.facts[fact]
        assert one.facts["candidates_per_fold"] == [theirs.facts["candidates"]]
        assert "artefact_control" not in one.facts
    assert pooled.comparisons == outcome.comparisons
    assert {c.second for c in pooled.comparisons} == {"constant", "knowing"}
    assert pooled.metrics == outcome.metrics
    assert [plot.name for plot in pooled.plots] == [plot.name for plot in outcome.plots]


def test_folds_by_hand(tmp_path):
    network = Rule("net", KNOWING.rule), Rule("net", CONSTANT.rule)
    pooled = two_folds(tmp_path, [network[0], CONSTANT], [network[1], CONSTANT])
    net, constant = (
        {name: estimate.value for name, estimate in result.metrics.items()}
        for result in pooled.results
    )
    assert pooled.results[0].metrics["recall_at_1"].n == 14
    # Knows 6 of 6 stems, then is level among 8.
    assert net["recall_at_1"] == pytest.approx((6 + 8 / 8) / 14)
    assert net["recall_at_1_among_others"] == pytest.approx((6 + 8 / 7) / 14)
    assert net["normalised_rank_mean"] == pytest.approx((0 + 8 * 0.5) / 14)
    assert net["normalised_rank_median"] == 0.5
    # 2 × 63 chunks and 4 × 21: as many of each song as 63 of the other songs need.
    assert pooled.results[0].metrics["top_1_of_64"].n == 126 + 84
    assert net["top_1_of_64"] == pytest.approx((126 + 84 / 64) / 210)
    # Among the 6 stems of the first fold and the 8 of the second, no others.
    assert constant["recall_at_5"] == pytest.approx((6 * 5 / 6 + 8 * 5 / 8) / 14)
    assert constant["right_track_only"] == pytest.approx((6 * 2 / 6 + 8 * 1 / 8) / 14)
    assert constant["right_instrument_only"] == pytest.approx((6 * 1 / 6 + 8 * 3 / 8) / 14)
    of_others = constant["right_instrument_only_among_others"]
    assert of_others == pytest.approx((6 * 1 / 4 + 8 * 3 / 7) / 14)
    assert set(constant) == set(pooled.metrics)
    for name, value in constant.items():
        assert value == pytest.approx(pooled.metrics[name].chance), name
    differences = {c.metric: c.difference for c in pooled.comparisons}
    assert set(differences) == {
        *(f"{metric}{suffix}" for suffix in ("", "_among_others")
          for metric in ("recall_at_1", "recall_at_10", "normalised_rank_mean")),
        "top_1_of_64",
    }  # fmt: skip
    assert differences["recall_at_1"].value == pytest.approx(net["recall_at_1"] - 2 / 14)
    # A draw of six songs may miss the two that the network knows.
    assert differences["recall_at_1"].low == 0 < differences["recall_at_1"].high
    assert pooled.results[0].facts["candidates_per_fold"] == [6, 8]
    assert pooled.results[0].facts["per_instrument"]["drums"]["n"] == 2
    assert "6 songs in 2 folds" in pooled.notes[0]
    assert "14 stems" in pooled.notes[1]
    assert "(6 to 8)" in pooled.notes[1]


def test_the_scale_of_a_fold_does_not_matter(tmp_path):
    level, raised = (
        two_folds(tmp_path / str(r), [guessing(1)], [guessing(2, raised=r)]) for r in (0, 100)
    )
    assert level.results[0].metrics == raised.results[0].metrics
    assert level.results[0].metrics["recall_at_1"].value < 1


def test_the_order_of_folds_does_not_matter(tmp_path):
    two_folds(tmp_path, [guessing(1), CONSTANT], [guessing(2), CONSTANT])
    there, back = (
        cross_validated(read_folds([tmp_path / fold for fold in order]), FAST).results[0].metrics
        for order in ("01", "10")
    )
    assert there.keys() == back.keys()
    for name, estimate in there.items():
        assert estimate.value == pytest.approx(back[name].value), name
        assert estimate.low == pytest.approx(back[name].low), name


def test_a_fold_without_chunks_is_left_out_of_top_1_and_named(tmp_path):
    pooled = two_folds(tmp_path, [KNOWING], [KNOWING], most_chunks=5)
    assert pooled.results[0].metrics["top_1_of_64"].n == 126
    assert pooled.results[0].metrics["recall_at_1"].n == 14
    assert "126 chunks of 2 songs" in pooled.notes[2]
    assert "top_1_of_64 leaves out 1 of 2 folds" in pooled.notes[3]


def test_files_and_report(tmp_path, capsys):
    pooled = two_folds(tmp_path, [guessing(1), CONSTANT], [guessing(2), CONSTANT])
    publish(pooled, tmp_path / "all", command="python -m …")
    names = {path.name for path in (tmp_path / "all").iterdir()}
    assert {"recall.png", "instruments.png", "comparisons.json", "scores.parquet"} <= names
    report = (tmp_path / "all" / "report.html").read_text("utf-8")
    assert "held out in turn" in report
    assert all(metric in report for metric in pooled.metrics)
    assert "top_1_of_64" in capsys.readouterr().out


def test_what_does_not_belong_together(tmp_path):
    kinds = {"coarse": {}, "fine": {"labels": "fine"}, "longer": {"chunk_s": 10.0}}
    for name, settings in kinds.items():
        source = Stems(2, first_song=10 * len(name))
        evaluated(tmp_path / name, source, CONSTANT, **settings)
    evaluated(tmp_path / "again", Stems(2, first_song=61), CONSTANT)
    evaluated(tmp_path / "other", Stems(2), KNOWING)
    with pytest.raises(ConfigError, match="all be of one labels, found coarse, fine"):
        read_folds([tmp_path / "coarse", tmp_path / "fine"])
    with pytest.raises(ConfigError, match=r"all be of one chunk_s, found 10\.0, 5\.0"):
        read_folds([tmp_path / "coarse", tmp_path / "longer"])
    with pytest.raises(ConfigError, match=r"1 songs are in more than one fold \(song 61 is one\)"):
        read_folds([tmp_path / "coarse", tmp_path / "again"])
    with pytest.raises(ConfigError, match="different Scorers"):
        read_folds([tmp_path / "coarse", tmp_path / "other"])
