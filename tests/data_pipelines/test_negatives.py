"""Negatives: what each strategy draws, what it must never draw, and reruns."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from data_pipelines.negatives import stage as negatives
from data_pipelines.negatives.drawing import Sound
from mashnet.commands.hydra_program import compose
from mashnet.data.loops.loops import SAMPLE_RATE, STRATEGIES, changed, log_mel_of, part_of
from mashnet.data.mashupdb import MashupDB
from mashnet.errors import ConfigError, DatabaseError, MashnetError
from tests.loops import beats, loop_database, songs, steady


def make(root, *overrides) -> MashupDB:
    negatives.make(compose("negatives", [f"db={root}", *overrides], negatives.CONFIG_DIR))
    return MashupDB.open(root)


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    root = tmp_path_factory.mktemp("loops")
    loop_database(root, [*songs("train", 6), *songs("val", 3, first=50)])
    return make(root)


def of(database, strategy):
    return database.pairs.filter(pl.col("strategy") == strategy).to_dicts()


def test_one_negative_per_pair_and_strategy(database):
    assert len(of(database, "together")) == (6 + 3) * 2
    for strategy in STRATEGIES:
        rows = of(database, strategy)
        assert len(rows) == 18
        assert {row["label"] for row in rows} == {0}


@pytest.mark.parametrize("strategy", ["random", "selected"])
def test_other_songs_of_the_same_split(database, strategy):
    loops = {row["loop_id"]: row for row in database.loops.iter_rows(named=True)}
    for row in of(database, strategy):
        one, other = loops[row["loop_a"]], loops[row["loop_b"]]
        assert one["song_id"] != other["song_id"]
        assert one["split"] == other["split"] == row["split"]
        assert row["params"] == "{}"
        assert strategy == "random" or other["kind"] == "harmonic"


@pytest.mark.parametrize("strategy", ["reverse", "shift", "rearrange"])
def test_changes_keep_the_loops_and_change_the_sound(database, strategy):
    together = {frozenset((r["loop_a"], r["loop_b"])) for r in of(database, "together")}
    loops = {row["loop_id"]: row for row in database.loops.iter_rows(named=True)}
    for row in of(database, strategy):
        assert frozenset((row["loop_a"], row["loop_b"])) in together
        params = json.loads(row["params"])
        if strategy == "shift":
            assert params["shift"] in (1, 2, 3)
        if strategy == "rearrange":
            assert sorted(params["order"]) == [0, 1, 2, 3] != params["order"]
        plain = part_of(database, loops[row["loop_b"]]).waveform(SAMPLE_RATE)
        one, other = log_mel_of(plain), log_mel_of(changed(plain, params))
        level = np.maximum(one, other)
        heard = level > level.max() - 0.5  # within 40 dB of the loudest: 80 dB are 1
        assert 80 * np.abs(one - other)[heard].mean() > 2


def test_nothing_from_a_song_that_shares_a_loop(tmp_path):
    sounds = [
        ("a", "train", "harmonic", beats(1)),
        ("a", "train", "drum", beats(2)),
        ("a again", "train", "harmonic", beats(1)),
        ("a again", "train", "harmonic", beats(3)),
        ("b", "train", "harmonic", beats(4)),
        ("b", "train", "harmonic", beats(5)),
    ]
    database = loop_database(tmp_path, sounds)
    loops = {row["loop_id"]: row["song_id"] for row in database.loops.iter_rows(named=True)}
    found = make(tmp_path, "strategies=[random,selected]").pairs.filter(pl.col("label") == 0)
    songs_met = {
        (loops[row["loop_a"]], loops[row["loop_b"]]) for row in found.iter_rows(named=True)
    }
    assert songs_met <= {("a", "b"), ("a again", "b"), ("b", "a"), ("b", "a again")}
    assert len(found) == 6


def test_what_sounds_the_same_is_no_negative(tmp_path, capsys):
    sounds = [("a", "train", "harmonic", steady(0)), ("a", "train", "harmonic", steady(1))]
    loop_database(tmp_path, [*sounds, *songs("train", 2)])
    database = make(tmp_path, "strategies=[reverse,shift,rearrange]")
    reasons = database.rejects["reason"].to_list()
    assert reasons == [
        "both loops sound the same backwards",
        "both loops sound the same when shifted by beats",
        "both loops sound the same in any order of beats",
    ]
    assert "3 left out" in capsys.readouterr().out


def test_a_steady_loop_lets_the_other_be_changed(tmp_path):
    loop_database(tmp_path, [("a", "train", "harmonic", s) for s in (steady(0), beats(1))])
    found = make(tmp_path, "strategies=[reverse,shift,rearrange]").pairs.filter(label=0)
    assert found["loop_b"].to_list() == ["loop1"] * 3


def test_beats_that_repeat_by_hand():
    a, b = np.ones((43, 8)), np.zeros((43, 8))
    frame = np.zeros((1, 8))
    loop = np.concatenate([a, b, a, b, frame])  # A B A B: half a bar later it is the same
    sound = Sound(loop)
    assert sound.survives([2, 3, 0, 1])
    assert sound.survives([2, 1, 0, 3])
    assert not sound.survives([1, 2, 3, 0])
    assert not sound.survives([0, 1, 3, 2])


def test_the_same_seed_gives_the_same_rows(tmp_path):
    loop_database(tmp_path, songs("train", 4))
    first = make(tmp_path).pairs
    assert make(tmp_path).pairs.equals(first)
    other = make(tmp_path, "seed=2").pairs
    assert not other.equals(first)
    assert other.filter(label=1).equals(first.filter(label=1))
    # A strategy drawn alone gives what it gave beside the others, and leaves them alone.
    assert make(tmp_path, "strategies=[shift]", "seed=2").pairs.equals(other)


def test_refusals(tmp_path):
    with pytest.raises(DatabaseError, match="not a MashupDB"):
        make(tmp_path)
    loop_database(tmp_path, [("a", "train", "drum", beats(0))])
    with pytest.raises(DatabaseError, match=r"python -m data_pipelines\.loops db="):
        make(tmp_path)
    with pytest.raises(ConfigError, match="Did you mean 'reverse'"):
        make(tmp_path, "strategies=[revers]")
    with pytest.raises(ConfigError, match="none of random"):
        make(tmp_path, "strategies=[]")
    loop_database(tmp_path, songs("train", 1))
    with pytest.raises(MashnetError, match="no loop of another song"):
        make(tmp_path, "strategies=[random]")
