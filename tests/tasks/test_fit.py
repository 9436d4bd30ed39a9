"""Training runs: every model config trains, and a killed run goes on as if nothing had happened."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from data_pipelines import mixes
from mashnet.cli import CONFIGS, compose
from mashnet.data.mashupdb import MashupDB
from mashnet.errors import CheckpointError, DatabaseError
from mashnet.models.loading import load_scorer
from mashnet.tasks.fit import fit, read_log, read_run
from tests.conftest import make_tiny_database
from train import settings_of

ROOT = Path(__file__).resolve().parents[2]
MODELS = sorted(p.stem for p in (CONFIGS / "model").glob("*.yaml"))
SMALL_COUNTS = "{original: 1, matched: 1, unmatched_key: 1, unmatched_tempo: 0}"


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> MashupDB:
    root = tmp_path_factory.mktemp("fit") / "tiny"
    make_tiny_database(root)
    overrides = [f"db={root}", "duration.min_s=5.0", "workers=2"]
    overrides += [f"per_seed.{split}={SMALL_COUNTS}" for split in ("train", "val", "test")]
    mixes.make(compose("mixes", overrides, mixes.CONFIG_DIR))
    return MashupDB.open(root)


def settings(database: MashupDB, *overrides: str) -> dict:
    config = compose(
        "train",
        [
            "data=mashupdb",
            f"data.root={database.root}",
            "trainer.max_epochs=1",
            "trainer.accelerator=cpu",
            "scale.mix.frontend.window_s=2.0",
            "scale.mix.sizes.source_filters=[2,4]",
            "scale.mix.sizes.joint_filters=8",
            "scale.mix.batch_size=4",
            *overrides,
        ],
    )
    return settings_of(config)


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
    assert {"train/loss", "val/average_rank", "train/waiting_share"} <= set(log[0])
    assert load_scorer(run).name == model


def test_paper_scale_composes_with_the_published_sizes(database: MashupDB) -> None:
    model = settings(database, "model=premixnet", "scale=paper", "scale.mix.batch_size=32")["model"]
    assert (model["sizes"]["n_mels"], model["sizes"]["dense"]) == (128, 128)
    assert model["learning_rate"] == 1e-4


def losses(run: Path) -> list[tuple[int, float, float]]:
    return [(e, v["train/loss"], v["val/average_rank"]) for e, v in sorted(read_log(run).items())]


def test_a_run_that_is_killed_continues_as_if_nothing_had_happened(
    database: MashupDB, tmp_path: Path
) -> None:
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    config = settings(database, "trainer.max_epochs=4", "trainer.patience=10")
    fit(undisturbed, config)

    program = (
        "import json, sys; from pathlib import Path; from mashnet.tasks.fit import fit;"
        "fit(Path(sys.argv[1]), json.loads(sys.argv[2]))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(killed), json.dumps(config)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    checkpoint = killed / "checkpoints" / "last.ckpt"
    deadline = time.monotonic() + 120
    while not checkpoint.is_file() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert checkpoint.is_file()
    # What was logged before the kill may be lost; what the checkpoint holds is not.
    fit(killed, read_run(killed))
    expected = dict((e, rest) for e, *rest in losses(undisturbed))
    found = {e: rest for e, *rest in losses(killed)}
    assert max(found) == 3 and 3 in expected
    for epoch, values in found.items():
        assert values == pytest.approx(expected[epoch], rel=1e-5), epoch


def test_ctrl_c_leaves_a_checkpoint_and_says_how_to_go_on(
    database: MashupDB, tmp_path: Path
) -> None:
    command = [
        *(sys.executable, "train.py", "data=mashupdb", f"data.root={database.root}"),
        *("trainer.max_epochs=500", "trainer.patience=500", "scale.mix.frontend.window_s=2.0"),
        *("scale.mix.batch_size=4", "scale.mix.sizes.source_filters=[2,4]"),
        *(f"runs={tmp_path}", "run=interrupted"),
    ]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    run = tmp_path / "interrupted"
    deadline = time.monotonic() + 120
    while not (run / "checkpoints" / "last.ckpt").is_file() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert f"interrupted; go on with: python train.py resume={run}" in output
    assert 0 <= float(load_scorer(run).network.head.dense[0].bias.abs().sum()) < 1e3


def test_wandb_works_without_an_account(database: MashupDB, tmp_path: Path) -> None:
    command = [
        *(sys.executable, "train.py", "data=mashupdb", f"data.root={database.root}"),
        *("logger=wandb", "trainer.max_epochs=1", "scale.mix.frontend.window_s=2.0"),
        *("scale.mix.sizes.source_filters=[2,4]", f"runs={tmp_path}", "run=logged"),
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
