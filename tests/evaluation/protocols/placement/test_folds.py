"""Folds of placement: vocals keep their places, groups are drawn."""

import numpy as np
import polars as pl
import pytest

from mashnet.evaluation.protocols.placement.folds import pool
from mashnet.evaluation.statistics import Bootstrap


def rows(scorer, fold, betters, *, candidates=64, bars=8, way="known"):
    return [
        {
            "scorer": scorer,
            "asked": "own music",
            "way": way,
            "bars": bars,
            "song_id": f"{fold}-{number}",
            "group": f"group {fold} {number % 2}",
            "better": better,
            "tied": 0,
            "candidates": candidates,
            "fold": fold,
        }
        for number, better in enumerate(betters)
    ]


def test_vocals_of_all_folds_count_alike_and_scorers_are_compared():
    table = pl.DataFrame(
        [
            *rows("new", 0, [0, 0, 5, 0]),
            *rows("new", 1, [0, 63]),
            *rows("old", 0, [0, 9, 5, 9]),
            *rows("old", 1, [1, 63]),
            *rows("new", 0, [0, 3, 3, 3], way="open_key", bars=4),
        ]
    )
    outcome = pool(table, {}, Bootstrap(num_resamples=200))
    new, old = outcome.results
    assert new.metrics["top_1_of_64"].value == pytest.approx(4 / 6)
    assert old.metrics["top_1_of_64"].value == pytest.approx(1 / 6)
    rank = np.mean([0, 0, 5, 0, 0, 63]) / 63
    assert new.metrics["normalised_rank_mean"].value == pytest.approx(rank)
    assert new.metrics["top_1_of_64_open_key_4_bars"].value == 0.25
    assert "top_1_of_64_open_key_4_bars" not in old.metrics
    (first,) = [c for c in outcome.comparisons if c.metric == "top_1_of_64"]
    assert first.difference.value == pytest.approx(0.5)
    assert any("4 groups" in note for note in outcome.notes)


def test_vocals_that_saw_fewer_than_64_have_a_rank_and_no_top_1():
    outcome = pool(
        pl.DataFrame([*rows("new", 0, [0, 1]), *rows("new", 1, [0, 1], candidates=40)]),
        {},
        Bootstrap(num_resamples=50),
    )
    assert set(outcome.results[0].metrics) == {"normalised_rank_mean"}
