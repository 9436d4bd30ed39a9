"""The loops view: what a batch holds, that the cache is right, and what is too little."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from data_pipelines.negatives import stage as negatives
from mashnet.commands.hydra_program import compose
from mashnet.data.loops.frontend import LoopFrontend
from mashnet.data.loops.loops import part_of
from mashnet.data.loops.view import LoopData
from mashnet.data.mashupdb import MashupDB
from mashnet.errors import ConfigError, DatabaseError
from tests.loops import beats, loop_database, songs

FRONTEND = {"sample_rate": 22050, "n_fft": 1024, "hop_length": 1024, "n_mels": 16}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("loops")
    loop_database(root, [*songs("train", 4), *songs("val", 2, first=50)])
    negatives.make(compose("negatives", [f"db={root}"], negatives.CONFIG_DIR))
    return root


def data(root, inputs=("mix",), **settings):
    given = {"negatives": "shift", "batch_size": 4, "seed": 0} | settings
    return LoopData(root, inputs=inputs, frontend=LoopFrontend(**FRONTEND), **given)


@pytest.mark.parametrize("inputs", [("mix",), ("a", "b")])
def test_a_batch_holds_what_its_pairs_sound_like(root, inputs):
    view = data(root, inputs)
    dataset, pairs = view.dataset("train"), view.pairs("train").to_dicts()
    batch = dataset.__getitems__([0, len(dataset) - 1, 3])
    database, frontend = MashupDB.open(root), LoopFrontend(**FRONTEND)
    loops = {row["loop_id"]: row for row in database.loops.iter_rows(named=True)}
    for place, index in enumerate([0, len(dataset) - 1, 3]):
        pair = pairs[index]
        one = part_of(database, loops[pair["loop_a"]])
        other = part_of(database, loops[pair["loop_b"]], pair["params"])
        expected = {"mix": [one, other], "a": [one], "b": [other]}
        assert batch["label"][place] == pair["label"]
        for name in inputs:
            mel = frontend.log_mel_of(expected[name])
            torch.testing.assert_close(batch[name][place], mel, atol=1e-3, rtol=0)


def test_pairs_that_fit_and_one_strategy(root):
    pairs = data(root, negatives="reverse").pairs("train")
    assert pairs["label"].sum() == 8
    assert set(pairs["strategy"]) == {"together", "reverse"}
    assert all(
        json.loads(p) == {"reverse": True} for p in pairs.filter(pairs["label"] == 0)["params"]
    )


def test_the_order_is_decided_by_seed_and_epoch(root):
    def order(seed, epoch):
        order = data(root, seed=seed).train_dataloader().batch_sampler.sampler
        order.set_epoch(epoch)
        return list(order)

    assert order(0, 3) == order(0, 3)
    assert order(0, 3) != order(0, 4)
    assert order(0, 3) != order(1, 3)
    assert sorted(order(0, 3)) == list(range(16))


def test_loaders(root):
    train = list(data(root, batch_size=5).train_dataloader())
    assert [len(batch["label"]) for batch in train] == [5, 5, 5]  # what is left over is dropped
    val = list(data(root, batch_size=5).val_dataloader())
    assert [len(batch["label"]) for batch in val] == [5, 3]
    assert np.concatenate([batch["label"] for batch in val]).tolist() == [1] * 4 + [0] * 4


def test_the_cache_is_computed_once(root, monkeypatch):
    data(root, negatives="rearrange").dataset("train")

    def never(*_):
        raise AssertionError("a cached log-mel was computed again")

    monkeypatch.setattr(LoopFrontend, "log_mel_of", never)
    data(root, negatives="rearrange").dataset("train")


def test_too_little(tmp_path, root):
    with pytest.raises(ConfigError, match="Did you mean 'shift'"):
        data(root, negatives="shfit")
    loop_database(tmp_path, [("a", "train", "drum", beats(0))])
    with pytest.raises(DatabaseError, match=r"no pairs of loops .* data_pipelines\.loops db="):
        data(tmp_path)
    loop_database(tmp_path, [*songs("train", 2), *songs("val", 2, first=9)])
    with pytest.raises(DatabaseError, match=r"no negatives of the strategy shift .* strategies="):
        data(tmp_path)
    loop_database(tmp_path, [*songs("train", 1), *songs("val", 2, first=9)])
    few = "only 1 song in the split '{}' has pairs of loops"
    for strategy in ("shift", "random"):  # of which one cannot be made of one song
        with pytest.raises(DatabaseError, match=few.format("train")):
            data(tmp_path, negatives=strategy)
    loop_database(tmp_path, [*songs("train", 3), *songs("val", 1, first=9)])
    negatives.make(compose("negatives", [f"db={tmp_path}"], negatives.CONFIG_DIR))
    assert data(tmp_path, negatives="shift").pairs("val")["label"].to_list() == [1, 1, 0, 0]
    with pytest.raises(DatabaseError, match=few.format("val")):
        data(tmp_path, negatives="random")
