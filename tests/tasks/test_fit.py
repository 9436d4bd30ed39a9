"""Training runs: every model config trains, and a killed run goes on as if nothing had happened."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from omegaconf import OmegaConf

import mashnet
from mashnet.commands.hydra_program import compose
from mashnet.data.mashupdb import MashupDB
from mashnet.errors import CheckpointError, ConfigError, DatabaseError
from mashnet.evaluation.run import evaluate
from mashnet.export.bundle import export_bundle
from mashnet.models.loading import load_scorer
from mashnet.tasks.fit import fit, read_run
from mashnet.tasks.run_log import read_log
from tests.model_configs import models_of
from tests.tasks.killed_run import train_until_killed
from tests.tasks.tiny_runs import overrides_of, settings

ROOT = Path(__file__).resolve().parents[2]
MODELS = models_of("mixes", "loops")  # networks that judge stems: test_stem_runs.py
LOOPS = ("loop_cnn", "loop_siamese")


@pytest.mark.parametrize("model", MODELS)
def test_every_model_config_trains_and_loads(
    database: MashupDB, tmp_path: Path, model: str
) -> None:
    run = tmp_path / "run"
    best = fit(run, settings(database, f"model={model}"))
    assert best.is_file()
    assert (run / "curves.png").stat().st_size > 1000
    log = read_log(run)
    assert set(log) == {0}
    chosen_by = "val/rank_share" if model in LOOPS else "val/average_rank"
    assert {"train/loss", chosen_by, "train/waiting_share"} <= set(log[0])
    assert load_scorer(run).name == (f"{model}+random" if model in LOOPS else model)


# Both networks have the same task.
@pytest.mark.parametrize("model", [pytest.param("loop_cnn", marks=pytest.mark.long), LOOPS[1]])
def test_a_loop_network_learns_and_becomes_a_bundle(
    database: MashupDB, tmp_path: Path, model: str
) -> None:
    """What it was trained on it tells apart; a bundle scores files as the run does."""
    run = tmp_path / "run"
    faster = ("trainer.max_epochs=20", "scale.loops.learning_rate=0.1")
    chosen = settings(database, f"model={model}", "negatives=shift", *faster)
    fit(run, {**chosen, "trainer": {**chosen["trainer"], "patience": 100}})
    log = read_log(run)
    assert log[19]["train/loss"] < 0.8 * log[0]["train/loss"]
    export_bundle(run, tmp_path / "bundle")
    card = (tmp_path / "bundle" / "README.md").read_text("utf-8")
    assert "negatives in training: shift" in card
    files = {}
    for name, row in zip(("loop_a", "loop_b"), database.loops.iter_rows(named=True), strict=False):
        files[name] = database.root / row["path"]
    score = mashnet.load(tmp_path / "bundle").score(**files)
    assert score == pytest.approx(mashnet.load(run).score(**files), abs=1e-5)
    ranking = mashnet.load(run).rank({"loop_a": files["loop_a"]}, database.root)
    assert len(ranking) == len(database.loops)
    assert ranking["score"].is_sorted(descending=True)
    found = ranking.filter(ranking["loop_id"] == "loop1")["score"].item()
    assert found == pytest.approx(score, abs=1e-5)
    with pytest.raises(ConfigError, match="query={'loop_a': file}"):
        mashnet.load(run).rank({"vocal": files["loop_a"]}, database.root)
    with pytest.raises(ConfigError, match="Available: loop_a, loop_b"):
        mashnet.load(run).score(vocal=files["loop_a"])
    with pytest.raises(ConfigError, match=r"judges loops.*use protocol=loop_ranking"):
        evaluate(evaluation(run, "mashup_retrieval"), command="")


def evaluation(run: Path, protocol: str) -> dict:
    composed = compose("evaluate", [f"checkpoint={run}", f"protocol={protocol}"])
    plain = OmegaConf.to_container(composed, resolve=True)
    assert isinstance(plain, dict)
    return plain


def test_paper_scale_composes_with_the_published_sizes(database: MashupDB) -> None:
    model = settings(database, "model=premixnet", "scale=paper", "scale.mixes.batch_size=32")[
        "model"
    ]
    assert (model["sizes"]["n_mels"], model["sizes"]["dense"]) == (128, 128)
    assert model["learning_rate"] == 1e-4


def losses(run: Path) -> list[tuple[int, float, float]]:
    # Of the epoch before a kill a part may not have reached the file.
    log = sorted(read_log(run).items())
    return [
        (e, v["train/loss"], v["val/loss"]) for e, v in log if {"train/loss", "val/loss"} <= set(v)
    ]


# tests/kill/test_training.py kills premixnet_lsro in every run of the tests.
@pytest.mark.parametrize(
    "model", [pytest.param("premixnet_lsro", marks=pytest.mark.long), "loop_siamese"]
)
def test_a_run_that_is_killed_continues_as_if_nothing_had_happened(
    database: MashupDB, tmp_path: Path, model: str
) -> None:
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    config = settings(database, f"model={model}", "trainer.max_epochs=4", "trainer.patience=10")
    fit(undisturbed, config)

    train_until_killed(killed, config)
    # What was logged before the kill may be lost; what the checkpoint holds is not.
    fit(killed, read_run(killed))
    expected = dict((e, rest) for e, *rest in losses(undisturbed))
    found = {e: rest for e, *rest in losses(killed)}
    assert max(found) == 3 and 3 in expected
    assert len(found) >= 2  # at least what came after the kill
    for epoch, values in found.items():
        assert values == pytest.approx(expected[epoch], rel=1e-5), epoch


def test_ctrl_c_leaves_a_checkpoint_and_says_how_to_go_on(
    database: MashupDB, tmp_path: Path
) -> None:
    command = [
        *(sys.executable, "train.py", "data=mashupdb", f"data.root={database.root}"),
        *("trainer.max_epochs=500", "trainer.patience=500", "scale.mixes.frontend.window_s=2.0"),
        *("scale.mixes.batch_size=4", "scale.mixes.sizes.source_filters=[2,4]"),
        *(f"runs={tmp_path}", "run=interrupted"),
    ]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    run = tmp_path / "interrupted"
    deadline = time.monotonic() + 200
    while not (run / "checkpoints" / "last.ckpt").is_file() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert f"interrupted; go on with: python train.py resume={run}" in output
    # What is said first is ours, and nothing of it is for somebody else.
    first, second, *_ = output.splitlines()
    assert first.startswith(f"run: {run}") and second.startswith("device: CPU")
    for word in ("litlogger", "TPU", "RuntimeWarning", "deprecated"):
        assert word not in output
    assert 0 <= float(load_scorer(run).network.head.dense[0].bias.abs().sum()) < 1e3


def test_wandb_works_without_an_account(database: MashupDB, tmp_path: Path) -> None:
    command = [
        *(sys.executable, "train.py", *overrides_of(database.root, "logger=wandb")),
        *(f"runs={tmp_path}", "run=logged"),
    ]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("WANDB")}
    result = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert list((tmp_path / "logged" / "wandb").glob("offline-run-*"))
    assert read_log(tmp_path / "logged")  # the CSV log is written all the same


def test_what_cannot_be_trained_on_is_refused(database: MashupDB, tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="artefact_control=false"):
        fit(tmp_path / "a", settings(database, "data.artefact_control=false"))
    with pytest.raises(DatabaseError, match="is not a MashupDB"):
        fit(tmp_path / "b", settings(database, f"data.root={tmp_path}"))
    with pytest.raises(CheckpointError, match="there is no run"):
        read_run(tmp_path / "nothing")


def test_the_run_keeps_all_it_was_made_with(database: MashupDB, tmp_path: Path) -> None:
    run = tmp_path / "run"
    fit(run, settings(database))
    kept = yaml.safe_load((run / "config.yaml").read_text())
    assert kept["data"]["root"] == str(database.root)
    assert {"torch", "commit"} <= set(kept["made_with"])


def test_several_runs_by_one_command(database: MashupDB, tmp_path: Path) -> None:
    """`-m` trains one run after the other and leaves nothing but the runs."""
    folder = tmp_path / "here"
    folder.mkdir()
    command = [
        *(sys.executable, str(ROOT / "train.py"), "-m", "model=loop_cnn", "data=mashupdb"),
        *("negatives=reverse,shift", f"data.root={database.root}", "trainer.max_epochs=1"),
        *("scale.loops.batch_size=4", "scale.loops.sizes.dense=[8,8,4]", "trainer.accelerator=cpu"),
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in folder.iterdir()] == ["runs"]
    names = {load_scorer(run).name for run in (folder / "runs").iterdir()}
    assert names == {"loop_cnn+reverse", "loop_cnn+shift"}
