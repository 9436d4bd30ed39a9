"""One training run: its folder, its trainer, and what remains of it when it ends early."""

from __future__ import annotations

import csv
import datetime
import io
import logging
import math
import re
import subprocess
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import matplotlib
import pytorch_lightning as pl
import torch
import yaml
from pytorch_lightning.callbacks import EarlyStopping, TQDMProgressBar
from pytorch_lightning.loggers import CSVLogger, Logger

from mashnet.errors import CheckpointError, ConfigError
from mashnet.extras import advice
from mashnet.files import remove_leftovers, written_atomically
from mashnet.models.loading import read_config
from mashnet.storage.places import place
from mashnet.storage.regular_files import read_bounded
from mashnet.tasks.batch_norm import normalise_whole_batches
from mashnet.tasks.compilation import choose_compilation, compile_transformers
from mashnet.tasks.jobs import Job, job_of
from mashnet.tasks.kept_settings import checked_settings
from mashnet.tasks.memory import keep_freed_memory
from mashnet.tasks.processes import ALONE, Processes
from mashnet.tasks.saving import LoggedFirst, OwnCheckpoint, WholeCheckpoints
from mashnet.tasks.waiting import WaitingForData
from mashnet.typed import program

_MOST_LOG_BYTES = 200_000_000  # of one session; a row has a hundred
_MOST_EPOCHS = 1 << 31
_MOST_FIGURE = 1e30
_NO_FIGURES = (None, "", "epoch", "step")


def new_run_folder(runs: Path, name: str) -> Path:
    """Create and return `runs/<date>-<time>-<name>`, with a number behind it if it exists."""
    stamped = f"{datetime.datetime.now():%Y%m%d-%H%M%S}-{name}"
    for attempt in range(1000):
        folder = runs / (stamped + (f"-{attempt}" if attempt else ""))
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            continue
    raise ConfigError(f"cannot make a new run folder in {runs}")


def fit(run: Path, config: dict[str, Any], processes: Processes = ALONE) -> Path:
    """Train what `config` describes into the folder `run`, or go on where it stopped.

    Everything that decides the result is in the configuration, which is written to
    `run/config.yaml` before the first step. Orders and windows depend on the seed and the epoch
    only, so a run that was killed continues from its last finished epoch as if nothing had
    happened.

    Args:
        run: the run's folder.
        config: `name`, `model` (network, sizes, frontend, learning_rate, …), `data` (root,
            batch_size, …), `trainer`, `logger` and `seed`.
        processes: those that train together. All of them call this, and only the first writes.

    Returns:
        The checkpoint to use: the best by the job's validation figure.

    Raises:
        KeyboardInterrupt: after Ctrl-C, once the checkpoint is safe.
    """
    _be_quiet()
    torch.set_float32_matmul_precision("high")
    pl.seed_everything(config["seed"], workers=True, verbose=False)
    settings = config["trainer"]
    accelerator, precision = choose_accelerator(settings["accelerator"], settings["precision"])
    device = "cuda" if accelerator == "gpu" else "cpu"
    if processes.rank == 0:
        print(f"device: {described(accelerator)}, {precision}")
    if accelerator != "gpu":
        keep_freed_memory()
    checkpoints = place(run, "checkpoints")  # a run may be a stranger's: no link is followed
    resumed = checkpoints / "last.ckpt"
    resuming = processes.decide(resumed.is_file)
    # What a run began with is in its checkpoint, and may be gone by now.
    begun = {**config, "init_from": None} if resuming else config

    def job_here() -> Job:
        if resuming and not resumed.is_file():
            raise CheckpointError(f"{run} must lie on a disk that all machines see")
        return job_of(begun, device, processes.share, resumed=resumed if resuming else None)

    job = processes.in_turn(job_here)
    if "devices" in settings and accelerator != "gpu":
        normalise_whole_batches(job.task)
    # Runs from before this setting go on without it being named.
    if choose_compilation(settings.get("compile", "auto"), accelerator):
        chunk_s = config["model"].get("chunk_s", [])
        compile_transformers(job.task, lengths_vary=len(set(chunk_s)) > 1)
    best = OwnCheckpoint(checkpoints, "best", monitor=job.monitor, mode="min")
    last = OwnCheckpoint(checkpoints, "last", every_n_epochs=1, save_on_train_epoch_end=True)
    shared = processes.trainer_settings(settings, gpu=accelerator == "gpu")
    session = next_session(run)
    if processes.rank == 0 and run.is_dir():
        remove_leftovers(run)
    trainer = pl.Trainer(
        default_root_dir=run,
        accelerator=accelerator,
        precision=precision,
        max_epochs=settings["max_epochs"],
        gradient_clip_val=settings["gradient_clip"],
        log_every_n_steps=1,
        num_sanity_val_steps=0,
        enable_model_summary=False,
        logger=loggers(run, config["logger"], session),
        callbacks=[
            WaitingForData(),
            LoggedFirst(),
            best,
            EarlyStopping(job.monitor, mode="min", patience=settings["patience"]),
            TQDMProgressBar(refresh_rate=max(1, settings["progress_every"])),
            last,  # after the others, so that it holds their state of the same epoch
        ],
        plugins=[WholeCheckpoints(), *shared.pop("plugins", [])],
        **shared,
    )
    if processes.rank == 0:
        write_config(run, {**config, "made_with": provenance()})
        begin_session(run, session)
    try:
        trainer.fit(
            job.task,
            **job.data,
            ckpt_path=resumed if resuming else None,
            weights_only=True,
        )
    except SystemExit as error:
        # Lightning turns Ctrl-C into an exit after its teardown. Several processes have stopped at
        # different places, and begin their first epoch again.
        if processes.size == 1 and not resumed.is_file():
            trainer.save_checkpoint(resumed)
        raise KeyboardInterrupt(f"go on with: {program('train')} resume={run}") from error
    if processes.rank == 0:
        draw_curves(run, job.monitor)
    return checkpoints / "best.ckpt"


def choose_accelerator(accelerator: str, precision: str) -> tuple[Any, Any]:
    """Return Lightning's accelerator and precision: the GPU, and bf16 where it has it."""
    if accelerator == "auto":
        accelerator = "gpu" if torch.cuda.is_available() else "cpu"
    if precision == "auto":
        bf16 = accelerator == "gpu" and torch.cuda.is_bf16_supported()
        precision = "bf16-mixed" if bf16 else "32-true"
    return accelerator, precision


def described(accelerator: str) -> str:
    """Say in words what a training runs on."""
    if accelerator == "gpu" and torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"CPU, {torch.get_num_threads()} threads" if accelerator == "cpu" else accelerator


def next_session(run: Path) -> str:
    """Return the name of a folder in `log` that comes after all that are there.

    Each session of a run logs beside the ones before it: CSVLogger would delete theirs.
    """
    log = place(run, "log")
    there = [path.name for path in log.iterdir()] if log.is_dir() else []
    numbers = [int(name) for name in there if re.fullmatch("[0-9]{1,9}", name)]
    return f"{max(numbers, default=-1) + 1:03d}"


def begin_session(run: Path, session: str) -> None:
    """Make the folder of a session, so that nobody's files are in it.

    Raises:
        CheckpointError: if there is something under its name.
    """
    folder = place(run, "log", session)
    try:
        folder.mkdir(parents=True, exist_ok=False)
    except FileExistsError as error:
        raise CheckpointError(
            f"{folder} cannot be made for this session's log: there is something already"
        ) from error


def loggers(run: Path, settings: dict[str, Any], session: str) -> list[Logger]:
    """Return the CSV log, always, and wandb beside it on request."""
    chosen: list[Logger] = [CSVLogger(run, name="log", version=session)]
    if settings["name"] == "wandb":
        place(run, "wandb")
        try:
            from pytorch_lightning.loggers import WandbLogger

            chosen.append(
                WandbLogger(
                    name=run.name,
                    save_dir=run,
                    project=settings["project"],
                    offline=settings["offline"],
                    id=run.name,
                    resume="allow",
                )
            )
        except ModuleNotFoundError as error:
            raise ConfigError(f"logger=wandb needs wandb; get it: {advice('wandb')}") from error
    return chosen


def write_config(run: Path, config: dict[str, Any]) -> None:
    """Write run/config.yaml: plain values, readable by people and by `mashnet.load`."""
    with written_atomically(run / "config.yaml") as temporary:
        temporary.write_text(yaml.safe_dump(config, sort_keys=False, allow_unicode=True), "utf-8")


def read_run(run: Path) -> dict[str, Any]:
    """Return the configuration of a run that is to be resumed.

    Raises:
        CheckpointError: if the folder is not a run, or its settings are none that training writes.
    """
    if not run.is_dir():
        beside = [p.name for p in run.parent.iterdir()] if run.parent.is_dir() else []
        raise CheckpointError(
            f"there is no run {run}. Runs beside it: {', '.join(beside) or 'none'}"
        )
    return checked_settings(read_config(run), run)


def provenance() -> dict[str, str]:
    """Return the versions that a result depends on."""
    packages = ("torch", "pytorch-lightning", "numpy", "mashnet")
    found = {package: version(package) for package in packages}
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--exclude=*"],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent,
    ).stdout.strip()
    return {**found, "commit": commit or "unknown"}


def read_log(run: Path) -> dict[int, dict[str, float]]:
    """Return what was logged, by epoch; of an epoch that was begun twice, the later.

    The log of a stranger's run may hold anything: what is no regular file, or too long, is passed
    over, and so are rows without an epoch and cells without a figure.
    """
    by_epoch: dict[int, dict[str, float]] = {}
    paths = (run / "log").glob("*/metrics.csv")
    for path in sorted(paths, key=lambda path: (len(path.parent.name), path)):
        try:
            text = read_bounded(path, _MOST_LOG_BYTES).decode("utf-8", "replace")
            for row in csv.DictReader(io.StringIO(text, newline="")):
                epoch = _figure(row.get("epoch"))
                if epoch is None or not (0 <= epoch < _MOST_EPOCHS and epoch.is_integer()):
                    continue
                found = {name: _figure(row[name]) for name in row if name not in _NO_FIGURES}
                known = {name: value for name, value in found.items() if value is not None}
                by_epoch.setdefault(int(epoch), {}).update(known)
        except (OSError, ValueError, csv.Error):
            continue  # what was read of it before counts
    return by_epoch


def _figure(cell: Any) -> float | None:
    """Return the number in a cell of a log; None if there is none that can be drawn."""
    try:
        value = float(cell)
    except (TypeError, ValueError):
        return None
    return value if not math.isfinite(value) or abs(value) < _MOST_FIGURE else None


def draw_curves(run: Path, monitor: str) -> None:
    """Draw run/curves.png from the log: losses, accuracies and what is monitored, by epoch."""
    matplotlib.use("Agg")
    from matplotlib import pyplot

    from mashnet.drawing import save_figure

    log = sorted(read_log(run).items())
    panels: list[tuple[str, ...]] = [("train/loss", "val/loss"), ("train/accuracy", "val/accuracy")]
    if all(monitor not in names for names in panels):
        panels.append((monitor,))
    size = (4 * len(panels), 3.2)
    figure, axes = pyplot.subplots(1, len(panels), figsize=size, layout="constrained")
    for axis, names in zip(axes, panels, strict=True):
        for name in names:
            points = [(epoch, values[name]) for epoch, values in log if name in values]
            axis.plot([e for e, _ in points], [v for _, v in points], marker=".", label=name)
        axis.set_xlabel("epoch")
        axis.legend(frameon=False)
    with written_atomically(run / "curves.png") as temporary:
        save_figure(figure, temporary, dpi=120)
    pyplot.close(figure)


def _be_quiet() -> None:
    """Silence what Lightning says to everybody and means for few."""
    for text in (".*does not have many workers.*", ".*LeafSpec.*", ".*isn't a leaf.*"):
        warnings.filterwarnings("ignore", text)
    # It tells of devices that are not there, and advertises another logger.
    for name in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
