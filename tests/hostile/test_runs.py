"""Runs of strangers that are gone on with: nothing outside them is touched, nothing is parsed."""

from __future__ import annotations

import copy
import functools
import math
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytorch_lightning.callbacks import ModelCheckpoint

from mashnet.commands.hydra_program import compose
from mashnet.data.mashupdb import MashupDB
from mashnet.errors import CheckpointError, ConfigError, DatabaseError, MashnetError
from mashnet.models.networks import scorer_class_of
from mashnet.models.torch_file import TorchFile
from mashnet.tasks import jobs, training
from mashnet.tasks.fit import fit, read_run
from mashnet.tasks.kept_settings import checked_settings
from mashnet.tasks.run_log import begin_session, draw_curves, next_session, read_log
from mashnet.tasks.saving import OwnCheckpoint, WholeCheckpoints
from mashnet.tasks.settings import begin, settings_of
from tests.tasks.conftest import database as database
from tests.tasks.tiny_runs import settings as tiny_settings

EVIL_PATHS = ("local:///{mine}", "{mine}", "{run}/checkpoints/../../music", "s3://a/b", "..", "\0")


@functools.cache
def composed() -> dict[str, Any]:
    return settings_of(compose("train", ["model=loop_cnn", "seed=3"]))


def honest() -> dict[str, Any]:
    return {**copy.deepcopy(composed()), "made_with": {"torch": "2"}}


def written(run: Path, config: Any) -> Path:
    (run / "checkpoints").mkdir(parents=True, exist_ok=True)
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    return run


@pytest.mark.parametrize("evil", EVIL_PATHS)
def test_a_checkpoint_decides_no_path(tmp_path, evil):
    mine = tmp_path / "music"
    mine.mkdir()
    (mine / "song.flac").write_text("mine")
    run = tmp_path / "run"
    path = evil.format(mine=mine, run=run)
    kept = OwnCheckpoint(run / "checkpoints", "best", monitor="val/loss", mode="min")
    state = kept.state_dict()
    paths = {"dirpath": path, "best_model_path": path, "kth_best_model_path": path}
    best = torch.tensor(0.25)
    evil_state = {"best_model_score": best, "best_k_models": {path: best}, "last_model_path": path}
    kept.load_state_dict({**state, **paths, **evil_state, "kth_value": best})
    own = str(Path(kept.dirpath or "") / "best.ckpt")
    assert own == str((run / "checkpoints").resolve() / "best.ckpt")
    assert kept.best_model_path == kept.kth_best_model_path == own
    assert kept.best_k_models == {own: best} and kept.best_model_score == best
    assert not kept.last_model_path and kept.dirpath == str((run / "checkpoints").resolve())
    last = OwnCheckpoint(run / "checkpoints", "last", every_n_epochs=1)
    last.load_state_dict({**state, **paths, "best_model_score": None})
    assert last.best_model_path == own.replace("best.ckpt", "last.ckpt")
    # Even where Lightning asked for it, a folder stays.
    WholeCheckpoints().remove_checkpoint(f"local://{mine}")
    with pytest.raises(OSError, match="music"):
        WholeCheckpoints().remove_checkpoint(mine)
    assert (mine / "song.flac").read_text() == "mine"


def test_states_are_kept_under_lightnings_own_names(tmp_path):
    """Runs of earlier versions go on with their best figure."""
    how: dict[str, Any] = {"monitor": "val/loss", "mode": "min"}
    theirs = ModelCheckpoint(tmp_path, filename="best", enable_version_counter=False, **how)
    assert OwnCheckpoint(tmp_path, "best", **how).state_key == theirs.state_key


def test_a_strangers_run_goes_on_and_deletes_nothing_outside(database, tmp_path):
    """End to end: the last checkpoint names a folder of somebody's as the best so far."""
    mine = tmp_path / "music"
    mine.mkdir()
    (mine / "song.flac").write_text("mine")
    run = tmp_path / "run"
    config = tiny_settings(database, "model=loop_cnn")
    fit(run, config)
    last = run / "checkpoints" / "last.ckpt"
    checkpoint = torch.load(last, weights_only=True)
    for state in checkpoint["callbacks"].values():
        for name in ("best_model_path", "kth_best_model_path", "last_model_path"):
            if name in state:
                state[name] = f"{run}/checkpoints/../../music"
        if state.get("best_k_models"):
            worst = torch.tensor(1e9)
            state.update(best_k_models={state["best_model_path"]: worst}, kth_value=worst)
            state.update(best_model_score=worst)
    torch.save(checkpoint, last)
    more = {**config, "trainer": {**config["trainer"], "max_epochs": 2}}
    fit(run, {**more, "init_from": None})
    assert (mine / "song.flac").read_text() == "mine"
    assert {p.name for p in (run / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}


@pytest.mark.parametrize("linked", ["checkpoints", "log"])
def test_a_run_is_written_through_no_link(database, tmp_path, linked):
    mine, run = tmp_path / "music", tmp_path / "run"
    mine.mkdir()
    run.mkdir()
    (run / linked).symlink_to(mine)
    with pytest.raises(DatabaseError, match="is a symbolic link"):
        fit(run, tiny_settings(database, "model=loop_cnn"))
    assert not list(mine.iterdir())


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"cos\nsystem\n(S'x'\ntR.", "list"])
def test_what_is_no_checkpoint_is_named(tmp_path, content):
    path = tmp_path / "last.ckpt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save({"callbacks": {"EarlyStopping": {"patience": [[1]]}}}, path)
    with pytest.raises(CheckpointError, match=r"last\.ckpt") as error:
        WholeCheckpoints().load_checkpoint(path, weights_only=True)
    assert "\n" not in str(error.value)


def expanded(path: Path) -> None:
    torch.save({"state_dict": {"network.x": torch.zeros(1).expand(400_000_000)}}, path)


def deflated(path: Path) -> None:
    plain = path.with_name("plain.ckpt")
    torch.save({"state_dict": {"network.x": torch.zeros(5_000_000)}}, plain)
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            new.writestr(entry.filename, old.read(entry))


def counted_often(path: Path) -> None:
    many = torch.zeros(10_000)
    torch.save({"optimizer_states": [many.view(100, 100).t() for _ in range(100)]}, path)


def sparse(path: Path) -> None:
    torch.save({"x": torch.sparse_coo_tensor(size=(100_000, 100_000))}, path)


def an_object(path: Path) -> None:
    torch.save({"x": torch.zeros(1, device="meta")}, path)


def aliased(path: Path) -> None:
    value: list[Any] = []
    for _ in range(40):
        value = [value, value]
    torch.save({"loops": value}, path)


def nested(path: Path) -> None:
    value: list[Any] = []
    for _ in range(200):
        value = [value]
    torch.save({"loops": value}, path)


SPOILED = (expanded, deflated, counted_often, sparse, an_object, aliased, nested)


@pytest.mark.parametrize("spoil", SPOILED)
def test_a_checkpoint_that_would_fill_the_memory_is_refused(tmp_path, monkeypatch, spoil):
    """Before any array of it is read, and without a word to torch's own reader."""
    path = tmp_path / "last.ckpt"
    spoil(path)

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("an array was read")

    monkeypatch.setattr(torch, "load", never)
    monkeypatch.setattr(TorchFile, "array", never)
    with pytest.raises(CheckpointError, match=r"last\.ckpt cannot be read: ") as error:
        WholeCheckpoints().load_checkpoint(path, weights_only=True)
    assert "\n" not in str(error.value)


def test_an_honest_checkpoint_is_read_as_torch_reads_it(tmp_path):
    path = tmp_path / "last.ckpt"
    network = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    optimizer = torch.optim.AdamW(network.parameters())
    network(torch.ones(4, 3)).sum().backward()
    optimizer.step()
    saved = {
        "state_dict": network.state_dict(),
        "optimizer_states": [optimizer.state_dict()],
        "callbacks": {"best": {"best_model_score": torch.tensor(0.5), "best_model_path": "x"}},
        "loops": {"fit_loop": {"state_dict": {}, "epoch": 3, "last": True, "none": None}},
    }
    WholeCheckpoints().save_checkpoint(saved, path)
    found = WholeCheckpoints().load_checkpoint(path)
    assert repr(found) == repr({**saved, "state_dict": dict(saved["state_dict"])})
    network.load_state_dict(found["state_dict"])
    optimizer.load_state_dict(found["optimizer_states"][0])


def test_what_training_writes_is_taken_as_it_is(tmp_path):
    for view in ("loop_cnn", "premixnet_lsro", "jepa", "contrastive", "cocola", "phalar"):
        for more in ([], ["trainer=ddp", "logger=wandb"]):
            config = settings_of(compose("train", [f"model={view}", *more]))
            kept = {**config, "made_with": {"torch": "2"}}
            assert read_run(written(tmp_path / view, kept)) == kept
            kept["trainer"].pop("compile")  # of a run from before there was such a setting
            assert read_run(written(tmp_path / view, kept)) == kept


CHANGES = {
    "interpolated-root": {"data": {"root": "https://x/${oc.env:TOKEN}"}},
    "interpolated-name": {"name": "${oc.env:HOME}"},
    "interpolated-size": {"model": {"network": "${oc.env:HOME}"}},
    "interpolated-mixes": {"data": {"mixes": ["seed=${oc.env:TOKEN}"]}},
    "interpolated-key": {"model": {"${x}": 1}},
    "executor": {"executor": {"name": "ray", "address": "ray://x:1"}},
    "executor-in-data": {"data": {"executor": "ray"}},
    "hydra": {"hydra": {"run": {"dir": "/"}}},
    "seed-text": {"seed": "1"},
    "seed-flag": {"seed": True},
    "seed-huge": {"seed": 10**30},
    "data-list": {"data": [1]},
    "data-null": {"data": None},
    "root-number": {"data": {"root": 5}},
    "root-nul": {"data": {"root": "a\0b"}},
    "root-escape": {"data": {"root": "a\x1b[2J"}},
    "mixes-dicts": {"data": {"mixes": [{"a": 1}]}},
    "workers-negative": {"data": {"num_workers": -1}},
    "epochs-text": {"trainer": {"max_epochs": "many"}},
    "devices-list": {"trainer": {"devices": [1, 2]}},
    "plugins": {"trainer": {"plugins": ["x"]}},
    "logger": {"logger": {"name": "mlflow"}},
    "project": {"logger": {"name": "wandb", "project": "../x"}},
    "host": {"logger": {"name": "wandb", "base_url": "http://x"}},
    "init-from": {"init_from": ["x"]},
    "unknown": {"callbacks": ["x"]},
    "devices-million": {"trainer": {"devices": 10**6, "num_nodes": 1, "timeout_s": 600}},
    "devices-alone": {"trainer": {"devices": 2}},
    "timeout-infinite": {"trainer": {"devices": 2, "num_nodes": 1, "timeout_s": float("inf")}},
    "timeout-nan": {"trainer": {"devices": 2, "num_nodes": 1, "timeout_s": float("nan")}},
    "nodes-million": {"trainer": {"devices": 2, "num_nodes": 10**6, "timeout_s": 600}},
    "epochs-huge": {"trainer": {"max_epochs": 10**400}},
    "clip-huge": {"trainer": {"gradient_clip": -1.0}},
    "precision-text": {"trainer": {"precision": "anything"}},
    "workers-million": {"data": {"num_workers": 10**6}},
    "batch-huge": {"data": {"batch_size": 10**12}},
    "wandb-bare": {"logger": {"name": "wandb"}},
    "view": {"model": {"view": "songs"}},
    "rate-infinite": {"model": {"learning_rate": float("inf")}},
    "rate-text": {"model": {"learning_rate": "fast"}},
    "sizes-list": {"model": {"sizes": [1]}},
    "sizes-huge": {"model": {"sizes": {"dense": 10**9}}},
    "frontend-huge": {"model": {"frontend": {"sample_rate": 10**9}}},
    "other-view": {"model": {"view": "stems"}},
}
ABSENT = {
    "loop_cnn": [
        "trainer.progress_every",
        "data.negatives",
        "data.num_workers",
        "model.view",
        "model.learning_rate",
        "model.sizes",
        "model.frontend",
    ],
    "premixnet": [
        "data.artefact_control",
        "data.transposed_negatives",
        "data.validation_windows",
        "model.unlabelled",
    ],
    "cocola": [
        "data.chunks",
        "data.chunks.per_clip",
        "data.chunks.noise_db",
        "model.chunk_s",
        "model.target",
        "model.weight_decay",
    ],
}


@pytest.mark.parametrize(
    ("model", "name"), [(model, name) for model, names in ABSENT.items() for name in names]
)
def test_what_a_view_reads_must_be_there(tmp_path, model, name):
    config = settings_of(compose("train", [f"model={model}"]))
    checked_settings(config, tmp_path)
    *blocks, last = name.split(".")
    block = config
    for one in blocks:
        block = block[one]
    del block[last]
    with pytest.raises(CheckpointError, match=r"config\.yaml") as error:
        checked_settings(config, tmp_path)
    assert "\n" not in str(error.value)


def test_quiet_and_loud_chunks_and_a_run_without_devices_go_on(tmp_path):
    config = settings_of(compose("train", ["model=cocola"]))
    config["data"]["chunks"].update(noise_db=float("-inf"), silence_db=-60)
    assert "devices" not in config["trainer"]
    assert checked_settings(config, tmp_path) == config


def merged(config: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    found = dict(config)
    for name, value in change.items():
        old = found.get(name)
        both = isinstance(value, dict) and isinstance(old, dict)
        found[name] = {**old, **value} if both else value
    return found


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_settings_that_training_does_not_write_are_refused(tmp_path, monkeypatch, change):
    monkeypatch.setenv("TOKEN", "secret")
    run = written(tmp_path / "run", merged(honest(), change))
    with pytest.raises(CheckpointError) as error:
        read_run(run)
    said = str(error.value)
    assert "config.yaml" in said and "\n" not in said and "\x1b" not in said
    assert "secret" not in said and len(said) < 600


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=6,
)


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    block=st.sampled_from(["", "data", "trainer", "logger"]),
    name=st.sampled_from(["root", "name", "seed", "mixes", "max_epochs", "data", "x", "devices"]),
    value=PLAIN,
)
def test_any_value_is_taken_or_refused_in_one_line(tmp_path, block, name, value):
    config = honest()
    changed = merged(config, {block: {name: value}} if block else {name: value})
    try:
        found = checked_settings(changed, tmp_path)
    except CheckpointError as error:
        assert "\n" not in str(error)
    else:
        assert found == changed and "${" not in repr(found)


def resumed_with(tmp_path: Path, network: torch.nn.Module, model: dict[str, Any]) -> Any:
    """Build the network of a run whose checkpoint has the weights of another."""
    state = {f"network.{name}": value for name, value in network.state_dict().items()}
    path = tmp_path / "last.ckpt"
    torch.save({"state_dict": state}, path)
    return jobs._scorer_as_in(path, model, "x")


def test_a_network_that_goes_on_is_no_larger_than_its_checkpoint(tmp_path):
    model = honest()["model"]
    network = scorer_class_of("loop_cnn").network_class(**model["sizes"])
    made = resumed_with(tmp_path, network, model)
    assert [v.shape for v in made.network.state_dict().values()] == [
        v.shape for v in network.state_dict().values()
    ]
    assert not any(value.is_meta for value in made.network.state_dict().values())
    spoiled: list[dict[str, Any]] = [
        {"sizes": {**model["sizes"], "dense": [65_536, 65_536, 65_536]}},
        {"sizes": {**model["sizes"], "dense": [8, 8, 8]}},
        {"sizes": {**model["sizes"], "dense": ["x", "y", "z"]}},
        {"sizes": {**model["sizes"], "no_such": 1}},
        {"frontend": {"n_mels": "x"}},
        {"network": "loop_siamese"},
        {"view": "stems"},
    ]
    for change in spoiled:
        with pytest.raises(CheckpointError, match=r"last\.ckpt") as error:
            resumed_with(tmp_path, network, {**model, **change})
        assert "\n" not in str(error.value)


def test_a_session_logs_into_a_folder_of_its_own(tmp_path):
    assert next_session(tmp_path) == "000"
    begin_session(tmp_path, "000")
    begin_session(tmp_path, next_session(tmp_path))
    (tmp_path / "log" / "000").rmdir()
    assert next_session(tmp_path) == "002"  # the second session's log is not written over
    for name in ("9" * 300, "\u0663", "x"):
        (tmp_path / "log" / name[:200]).mkdir()
    (tmp_path / "log" / "041").symlink_to(tmp_path / "nowhere")
    assert next_session(tmp_path) == "042"
    with pytest.raises(DatabaseError, match="symbolic link"):
        begin_session(tmp_path, "041")
    (tmp_path / "log" / "042").mkdir()
    with pytest.raises(CheckpointError, match="there is something already"):
        begin_session(tmp_path, "042")


def test_a_log_of_anything_is_read_as_far_as_it_can_be(tmp_path):
    for number, text in enumerate(
        [
            "epoch,step,train/loss\n0,1,0.5\n1,2,0.25,7,8\n",
            "step,train/loss\n1,0.5\n",
            "epoch,train/loss\nx,1\n1e400,1\nnan,1\n-1,1\n1.5,1\n" + "9" * 5000 + ",1\n2,1e300\n",
            "epoch,train/loss\n3,\n3,nan\n4,much\n5\n",
            "epoch,train/loss\n6," + "1" * 200_000 + "\n",
            "\0\xff",
            "",
        ]
    ):
        folder = tmp_path / "log" / f"{number:03d}"
        folder.mkdir(parents=True)
        (folder / "metrics.csv").write_text(text, "utf-8")
    (tmp_path / "log" / "900").mkdir()
    os.mkfifo(tmp_path / "log" / "900" / "metrics.csv")
    (tmp_path / "log" / "901" / "metrics.csv").mkdir(parents=True)
    found = read_log(tmp_path)
    assert found[0] == {"train/loss": 0.5} and found[1] == {"train/loss": 0.25}
    assert math.isnan(found[3].pop("train/loss"))
    assert {epoch for epoch, values in found.items() if values} == {0, 1}
    draw_curves(tmp_path, "val/loss")
    assert (tmp_path / "curves.png").is_file()


def test_a_bundle_is_no_run(tmp_path):
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    config = {k: v for k, v in honest().items() if k in ("name", "model", "made_with")}
    (bundle / "config.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(CheckpointError, match="is a bundle, and no run that could go on"):
        read_run(bundle)


def test_for_a_run_that_goes_on_nothing_is_made(tmp_path, monkeypatch):
    """Its settings say that the demo corpus lies where a database of somebody's lies."""
    victim = MashupDB(tmp_path / "mydb")
    victim.update_manifest(counts={})
    change = {"data": {"name": "demo", "root": str(victim.root), "loops": ["executor=ray"]}}
    run = written(tmp_path / "run", merged(honest(), change))
    config = compose("train", [f"resume={run}", "trainer.accelerator=cpu"])
    made: list[Any] = []
    monkeypatch.setattr(training, "fit", lambda *_: run / "checkpoints" / "best.ckpt")
    training.train(config, [], module="x", prepare=made.append)
    assert not made and {p.name for p in victim.root.iterdir()} == {"manifest.json"}
    fresh = compose("train", [f"runs={tmp_path / 'runs'}", "trainer.accelerator=cpu"])
    training.train(fresh, [], module="x", prepare=made.append)
    assert [settings["data"]["name"] for settings in made] == ["demo"]
    with pytest.raises(MashnetError):
        read_run(tmp_path)


def test_a_run_that_goes_on_reaches_for_no_text_encoder(tmp_path, monkeypatch):
    monkeypatch.delenv("MASHNET_TEXT_WEIGHTS", raising=False)
    change = {"model": {"sizes": {"text": "clap", "text_weights": "some/repo"}}}
    run = written(tmp_path / "run", merged(honest(), change))
    config = compose("train", [f"resume={run}", "trainer.accelerator=cpu"])
    with pytest.raises(ConfigError, match="names 'some/repo' for it; nothing is opened or fetched"):
        begin(config, {})
    monkeypatch.setenv("MASHNET_TEXT_WEIGHTS", str(tmp_path))
    assert begin(config, {})[1]["model"]["sizes"]["text_weights"] == str(tmp_path)
