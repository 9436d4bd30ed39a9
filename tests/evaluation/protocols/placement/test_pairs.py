"""Pairs of different songs: drawn, rendered twice, measured, and told."""

import numpy as np
import pytest
import torch

from mashnet.errors import ConfigError
from mashnet.evaluation.protocols.placement.pairs import (
    FIRST,
    RenderedPairs,
    draw_pairs,
    pair_columns,
    pair_meanings,
)
from mashnet.evaluation.protocols.placement.protocol import run
from mashnet.evaluation.statistics import Bootstrap
from mashnet.evaluation.subjects.phrases import DatabasePhrases
from mashnet.mashups.collection import read_collection
from mashnet.music.placement import Placement
from tests.phrase_songs import phrase_database


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    # Neighbours in tempo that are at most a whole tone apart.
    database = phrase_database(tmp_path_factory.mktemp("pairs") / "db", songs=3, bars=6)
    return DatabasePhrases(database.root, split="all")


class Lays:
    """Lays each guest's third bar on the base's second, or refuses."""

    judges_unmoved = True

    def __init__(self, name, *, refuses=False):
        self.name, self.refuses = name, refuses

    def score(self, query, candidates):
        return torch.zeros(len(candidates))

    def place(self, query, candidate):
        assert set(query) == {"harmonic", "percussion"}
        assert set(candidate) == {"vocal"}
        if self.refuses:
            raise ConfigError("they are not compared")
        return Placement(2, 1, 4, semitones=1)


def test_pairs_are_of_different_songs_and_drawn(source):
    pairs = draw_pairs(source, 100, seed=0)
    assert pairs
    for pair in pairs:
        assert pair.base.song_id != pair.guests["vocal"].clip.song_id
        assert abs(pair.guests["vocal"].semitones) <= 3
    assert len(draw_pairs(source, 1, seed=0)) == 1


def test_both_renderings_lie_in_the_folder_and_are_measured(source, tmp_path):
    outcome = run(
        [Lays("lays"), Lays("refuses", refuses=True)],
        source,
        bootstrap=Bootstrap(num_resamples=20),
        folder=tmp_path,
        bars=[4],
        num_places=0,
        rendered=True,
        num_pairs=1,
    )
    rows = read_collection(tmp_path / "mashups")
    assert [(row["system"], row["technique"]) for row in rows] == [
        (FIRST, "tempo+key"),
        ("lays", "placed"),
    ]
    assert rows[1]["guests"][0]["placement"]["guest_bar"] == 2
    metrics = outcome.results[0].metrics
    for key in ("key_clash", "onset_error_ms"):
        placed, first = metrics[f"{key}_placed"].value, metrics[f"{key}_{FIRST}"].value
        assert metrics[f"{key}_difference"].value == pytest.approx(placed - first)
        assert f"{key}_difference" in outcome.metrics
    assert "judge_score_placed" not in metrics
    assert not any(name.startswith("key_clash") for name in outcome.results[1].metrics)
    assert any("Not rendered for refuses: they are not compared" in note for note in outcome.notes)
    assert [example.group for example in outcome.examples] == [FIRST, "lays"]
    assert {c.metric for c in outcome.comparisons} == {
        "normalised_rank_mean_4_bars",
        "normalised_rank_mean_open_key_4_bars",
    }


def test_only_pairs_that_could_be_measured_twice_count(source):
    pairs = (draw_pairs(source, 2, seed=0) * 3)[:3]
    nothing = np.full(3, np.nan)
    measured = {
        FIRST: {"key_clash": np.array([0.4, 0.6, np.nan]), "onset_error_ms": nothing,
                "judge_score": nothing},
        "lays": {"key_clash": np.array([0.1, np.nan, 0.5]), "onset_error_ms": nothing,
                 "judge_score": nothing},
    }  # fmt: skip
    columns = pair_columns(RenderedPairs(pairs, measured, [], []), "lays")
    assert {name: values.tolist() for name, (values, _) in columns.items()} == {
        "key_clash_placed": [0.1],
        "key_clash_first_downbeat": [0.4],
        "key_clash_difference": [pytest.approx(-0.3)],
    }
    assert pair_meanings(list(columns))["key_clash_difference"].chance == 0.0
