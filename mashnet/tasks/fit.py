"""One training run: its folder, its trainer, and what remains of it when it ends early."""

from __future__ import annotations

import datetime
import logging
import subprocess
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
import yaml
from pytorch_lightning.callbacks import EarlyStopping, TQDMProgressBar

from mashnet.errors import CheckpointError, ConfigError
from mashnet.files import remove_leftovers, written_atomically
from mashnet.invocation import program, setting
from mashnet.models.loading import read_config
from mashnet.storage.contained_paths import place
from mashnet.tasks.allocator import keep_freed_memory
from mashnet.tasks.batch_norm import normalise_whole_batches
from mashnet.tasks.compilation import choose_compilation, compile_transformers
from mashnet.tasks.data_wait import WaitingForData
from mashnet.tasks.jobs import Job, job_of
from mashnet.tasks.kept_settings import checked_settings
from mashnet.tasks.processes import ALONE, Processes
from mashnet.tasks.run_log import begin_session, draw_curves, loggers, next_session
from mashnet.tasks.saving import LoggedFirst, OwnCheckpoint, WholeCheckpoints


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
        raise KeyboardInterrupt(
            f"go on with: {program('train')} {setting('resume', run)}"
        ) from error
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


def _be_quiet() -> None:
    """Silence what Lightning says to everybody and means for few."""
    for text in (".*does not have many workers.*", ".*LeafSpec.*", ".*isn't a leaf.*"):
        warnings.filterwarnings("ignore", text)
    # It tells of devices that are not there, and advertises another logger.
    for name in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
