"""Two processes train as one does: the same curves, every example once, no figure doubled."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path

import pytest
from filelock import FileLock

from mashnet.data.mashupdb import MashupDB
from mashnet.errors import ConfigError
from mashnet.export.bundle import export_bundle
from mashnet.models.loading import load_scorer
from mashnet.tasks.fit import fit, read_run
from mashnet.tasks.meeting import joined, processes_to_start
from mashnet.tasks.run_log import read_log
from tests.model_configs import models_of
from tests.stems import Clip, band, stem_database
from tests.tasks import test_stem_runs
from tests.tasks.tiny_runs import overrides_of, settings

ROOT = Path(__file__).resolve().parents[2]
TOGETHER = ("trainer=ddp", "trainer.devices=2")
# In 64 bits, in which rounding does not hide or make a difference.
EXACT = ("trainer.precision=64-true", "trainer.max_epochs=2")
LOOPS = ("scale.loops.batch_size=6",)
MIXES = ("scale.mixes.batch_size=2",)  # of six groups: three steps
PLAIN = {
    "premixnet_lsro": (*EXACT, *MIXES, "trainer.max_epochs=3"),
    "postmixnet": (*EXACT, *MIXES),
    "loop_cnn": (*EXACT, *LOOPS),
    "loop_siamese": (*EXACT, *LOOPS),
}
AS_ONE = ("contrastive", "jepa", "stem_jepa")  # stem networks that draw nothing in a step
SINGLE = "single precision"
# In every run of the tests one that is normalised over batches and one that compares all of a
# batch, all others in the long one.
FEW = ("premixnet_lsro",)
OTHERS = tuple(sorted({*PLAIN, *models_of("stems"), SINGLE} - {*FEW}))
# Seconds where the tests are all that runs; enough for a machine with much else to do.
pytestmark = pytest.mark.timeout(1800)
CLOCKS = {"train/epoch_s", "train/waiting_share"}


@pytest.fixture(scope="module")
def stems(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("several") / "stems"
    clips = [
        Clip(f"{split} {song}", band(song, 4.0), split)
        for split in ("train", "val")
        for song in range(7 if split == "val" else 4)  # 7: one process has more batches
    ]
    stem_database(root, clips)
    return root


def stem_settings(stems: Path, model: str, *overrides: str) -> dict:
    chosen = ["model.chunk_s=[1.0, 2.0]"]
    if model in AS_ONE:
        chosen = [*test_stem_runs.vit(model), *chosen, "trainer.max_epochs=2"]
    found = test_stem_runs.settings(stems, model, *chosen, *overrides)
    found["data"]["batch_size"] = 6
    return found


def figures(run: Path) -> dict[int, dict[str, float]]:
    return {
        epoch: {name: value for name, value in values.items() if name not in CLOCKS}
        for epoch, values in read_log(run).items()
    }


Trained = tuple[Path, list[dict]]


@pytest.fixture(scope="module")
def train_by_two(
    database: MashupDB, stems: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Sequence[str]], Trained]:
    """Return what trains some models with two processes, started once for all of them.

    Workers of pytest-xdist have a folder in common: one trains, the others wait.
    """
    common = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        common = common.parent

    @cache
    def trained(models: Sequence[str]) -> Trained:
        folder = common / f"by_two_{'_'.join(models)[:100]}"
        with FileLock(f"{folder}.lock"):
            if not (folder / "1.json").is_file():
                folder.mkdir(exist_ok=True)
                train(models, folder)
        return folder, [json.loads((folder / f"{rank}.json").read_text()) for rank in range(2)]

    def train(models: Sequence[str], folder: Path) -> None:
        jobs = {}
        for name in models:
            if name in PLAIN:
                jobs[name] = settings(database, f"model={name}", *PLAIN[name], *TOGETHER)
            elif name == SINGLE:
                jobs[name] = settings(database, *MIXES, *TOGETHER, "trainer.max_epochs=2")
            else:
                jobs[name] = stem_settings(stems, name, *TOGETHER)
        (folder / "jobs.json").write_text(
            json.dumps({str(folder / name): chosen for name, chosen in jobs.items()})
        )
        program = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
        program.append("--nproc-per-node=2")
        done = subprocess.run(
            [*program, "-m", "tests.tasks.two_processes", folder / "jobs.json", folder],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=840,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-4000:]

    return trained


@pytest.fixture(
    params=[pytest.param(FEW, id="few"), pytest.param(OTHERS, id="others", marks=pytest.mark.long)]
)
def by_two(
    request: pytest.FixtureRequest, train_by_two: Callable[[Sequence[str]], Trained]
) -> Trained:
    return train_by_two(request.param)


def by_two_and(models: Iterable[str]) -> pytest.MarkDecorator:
    """Give a test each model, and the two processes that have trained it."""
    cases = [
        pytest.param(FEW, model, id=model)
        if model in FEW
        else pytest.param(OTHERS, model, id=model, marks=pytest.mark.long)
        for model in models
    ]
    return pytest.mark.parametrize(("by_two", "model"), cases, indirect=["by_two"])


@by_two_and(PLAIN)
def test_curves_are_those_of_one_process(by_two, database, tmp_path, model) -> None:
    """Losses, accuracies and validation figures, learning rates and batch statistics included."""
    fit(tmp_path / "one", settings(database, f"model={model}", *PLAIN[model]))
    expected, found = figures(tmp_path / "one"), figures(by_two[0] / model)
    assert list(found) == list(expected) == list(range(3 if model == "premixnet_lsro" else 2))
    assert expected[0]["train/loss"] != expected[1]["train/loss"]
    for epoch, values in expected.items():
        assert found[epoch] == pytest.approx(values, abs=1e-6), epoch


@by_two_and([SINGLE])
def test_in_single_precision_training_losses_agree_to_four_digits(
    by_two, database, tmp_path, model
) -> None:
    """With one process of the same trainer: the default one's batch statistics are less exact."""
    one = settings(database, *MIXES, "trainer.max_epochs=2", "trainer=ddp", "trainer.devices=1")
    fit(tmp_path / "one", one)
    expected, found = figures(tmp_path / "one"), figures(by_two[0] / model)
    for epoch in (0, 1):
        assert found[epoch]["train/loss"] == pytest.approx(expected[epoch]["train/loss"], abs=1e-4)
        assert found[epoch]["val/loss"] == pytest.approx(expected[epoch]["val/loss"], abs=1e-3)


@by_two_and(AS_ONE)
def test_negatives_are_those_of_all_processes(by_two, stems, tmp_path, model) -> None:
    """The loss depends on every pair of the batch, so it is only the same if all are compared."""
    fit(tmp_path / "one", stem_settings(stems, model))
    expected, found = figures(tmp_path / "one"), figures(by_two[0] / model)
    assert list(found) == list(expected) == [0, 1]
    for epoch, values in expected.items():
        assert found[epoch] == pytest.approx(values, abs=1e-4), epoch


def test_every_example_is_seen_once_per_epoch(by_two) -> None:
    folder, (first, second) = by_two
    for name in first:
        model = Path(name).name
        one, other = first[name], second[name]
        epochs = len(figures(Path(name)))
        assert len(one["trained"]) == len(other["trained"]) > 0, model
        assert len(one["validated"]) - len(other["validated"]) in range(epochs + 1), model
        both = Counter(map(str, one["validated"] + other["validated"]))
        assert set(both.values()) == {epochs}, model
        seen = Counter(map(str, one["trained"] + other["trained"]))
        if model.startswith("loop"):  # 16 pairs, of which an epoch takes two batches of six
            assert sum(seen.values()) == 2 * 12 and max(seen.values()) <= epochs
        else:  # keys name the epoch, or how often a clip has been drawn from
            assert set(seen.values()) == {1}, model
    mixnet = "premixnet_lsro" if str(folder / "premixnet_lsro") in first else "postmixnet"
    epochs = len(figures(folder / mixnet))
    mixes = first[str(folder / mixnet)]["trained"] + second[str(folder / mixnet)]["trained"]
    groups = 1 + max(index for _, index in mixes)
    assert sorted(map(tuple, mixes)) == [(e, i) for e in range(epochs) for i in range(groups)]


def test_processes_end_with_the_same_weights(by_two) -> None:
    """Also those that no gradient moves: batch statistics and the target encoders."""
    first, second = by_two[1]
    assert first.keys() == second.keys()
    assert {n: f["weights"] for n, f in first.items()} == {
        n: f["weights"] for n, f in second.items()
    }
    assert len({found["weights"] for found in first.values()}) == len(first)


def test_only_the_first_process_writes(by_two) -> None:
    for name in by_two[1][0]:
        run = Path(name)
        assert sorted(p.name for p in run.iterdir()) == [
            "checkpoints",
            "config.yaml",
            "curves.png",
            "log",
        ]
        assert [p.name for p in (run / "log").iterdir()] == ["000"]
        assert sorted(p.name for p in (run / "checkpoints").iterdir()) == ["best.ckpt", "last.ckpt"]


@by_two_and(["premixnet_lsro", SINGLE])
def test_its_checkpoint_is_one_like_any_other(by_two, tmp_path, model) -> None:
    run = by_two[0] / model
    export_bundle(run, tmp_path / "bundle")
    # Loading checks the score that the bundle promises.
    states = [load_scorer(path).network.state_dict() for path in (run, tmp_path / "bundle")]
    assert states[0].keys() == states[1].keys()
    assert any("running_mean" in name for name in states[0])


def train(*arguments: str, out: Path) -> subprocess.Popen:
    # -u: what it prints is read while it runs.
    with out.open("w") as file:
        return subprocess.Popen(
            [sys.executable, "-u", "train.py", *arguments],
            cwd=ROOT,
            stdout=file,
            stderr=subprocess.STDOUT,
        )


def worker_of(launcher: int, rank: int) -> int:
    """Return the process id of a launcher's worker."""
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = int(re.search(r"PPid:\s*(\d+)", (folder / "status").read_text())[1])
            if parent == launcher and f"\0RANK={rank}\0" in (folder / "environ").read_text():
                return int(folder.name)
    raise AssertionError(f"process {launcher} has no worker {rank}")


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks for processes in /proc")
def test_a_run_goes_on_after_one_process_was_killed(database, tmp_path) -> None:
    """On two devices, and then on one: the curve is that of an undisturbed run."""
    chosen = (*EXACT, *MIXES, "trainer.max_epochs=8", "trainer.patience=100")
    run = tmp_path / "killed"
    typed = [*overrides_of(database.root, *chosen), *TOGETHER, f"runs={tmp_path}", "run=killed"]
    process = train(*typed, out=tmp_path / "out.txt")
    try:
        while not (run / "checkpoints/last.ckpt").is_file():
            assert process.poll() is None, (tmp_path / "out.txt").read_text()
            time.sleep(0.02)
        workers = [worker_of(process.pid, rank) for rank in range(2)]
        os.kill(workers[1], signal.SIGKILL)
        assert process.wait(timeout=120) == 2
    finally:
        process.kill()  # its workers end with it
    said = (tmp_path / "out.txt").read_text()
    line = f"error: process 1 of 2 was ended by SIGKILL; go on with: python train.py resume={run}"
    assert said.splitlines()[-1] == line
    assert not any(Path(f"/proc/{worker}").exists() for worker in workers)
    before = max(figures(run))
    assert before < 5

    config = read_run(run)
    config["trainer"]["max_epochs"] = 6
    (run / "config.yaml").write_text(json.dumps(config))  # JSON is YAML
    process = train(f"resume={run}", out=tmp_path / "again.txt")
    assert process.wait(timeout=800) == 0, (tmp_path / "again.txt").read_text()
    assert max(figures(run)) == 5
    config["trainer"]["max_epochs"] = 8
    (run / "config.yaml").write_text(json.dumps(config))
    process = train(f"resume={run}", "trainer=default", out=tmp_path / "alone.txt")
    assert process.wait(timeout=800) == 0, (tmp_path / "alone.txt").read_text()
    assert "devices" not in read_run(run)["trainer"]

    undisturbed = tmp_path / "undisturbed"
    fit(undisturbed, settings(database, *chosen))
    expected, found = figures(undisturbed), figures(run)
    assert max(found) == 7
    for epoch, values in found.items():
        for name, value in values.items():
            assert value == pytest.approx(expected[epoch][name], abs=1e-6), (epoch, name)


def test_who_starts_how_many(monkeypatch) -> None:
    ddp = {"accelerator": "cpu", "devices": "auto", "num_nodes": "auto", "timeout_s": 600}
    assert processes_to_start({"accelerator": "auto"}) == 1  # the default trainer
    assert processes_to_start({**ddp, "devices": 3}) == 3
    with pytest.raises(ConfigError, match=r"name the number of processes: trainer.devices=2"):
        processes_to_start(ddp)
    with pytest.raises(ConfigError, match=r"devices=0 must be auto or a number from 1"):
        processes_to_start({**ddp, "devices": 0})
    with pytest.raises(ConfigError, match=r"num_nodes=2: .* by torchrun or srun"):
        processes_to_start({**ddp, "devices": 2, "num_nodes": 2})
    # Two machines with two processes each, by torchrun.
    started = {"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "2"}
    for name, value in {**started, "RANK": "1", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    assert processes_to_start(ddp) == 1
    for chosen, message in (
        ({"accelerator": "cpu"}, r"4 processes were started: .* adding trainer=ddp"),
        ({**ddp, "devices": 4}, r"trainer.devices=4, but 2 were started: name 2"),
        ({**ddp, "num_nodes": 1}, r"trainer.num_nodes=1, but 2 were started: name 2"),
    ):
        with pytest.raises(ConfigError, match=message), joined(chosen):
            pass
