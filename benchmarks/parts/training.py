"""Training at scale=small on all cores: examples per second, and how long it waits for data.

What is trained on a GPU at the published sizes is measured by `python -m benchmarks.gpu_step`.
"""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

from benchmarks.measuring import Row, measure, row
from benchmarks.training_library import MODELS, run_settings, training_library
from mashnet.execution.worker_count import available_cores


def measure_part(scale: str, folder: Path) -> list[Row]:
    """Train every network for two epochs in a process of its own."""
    measure(partial(_prepare, folder, scale), "training library")
    root = training_library(folder, scale)
    rows: list[Row] = []
    for model in MODELS:
        rows += measure(partial(_train, root, folder / f"run of {model}", model, scale), model)
    return rows


def _prepare(folder: Path, scale: str) -> list[Row]:
    training_library(folder, scale)
    return []


def _train(root: Path, run: Path, model: str, scale: str) -> list[Row]:
    import torch

    from benchmarks.parts.loading import examples_in
    from mashnet.tasks.fit import fit
    from mashnet.tasks.jobs import job_of
    from mashnet.tasks.run_log import read_log

    torch.set_num_threads(available_cores())
    settings = run_settings(root, model, scale)
    data = job_of(settings, "cpu").data
    loader = (
        data["datamodule"].train_dataloader() if "datamodule" in data else data["train_dataloaders"]
    )
    examples = sum(examples_in(batch) for batch in loader)
    shutil.rmtree(run, ignore_errors=True)
    fit(run, settings)
    last = read_log(run)[1]  # of the second epoch: in the first, files are opened
    shutil.rmtree(run)
    seconds, share = last["train/epoch_s"], last["train/waiting_share"]
    note = f"scale=small, {examples} examples an epoch, {torch.get_num_threads()} threads"
    return [
        row(f"{model}: trained", examples / seconds, "examples/s", note),
        row(f"{model}: waiting for data", 100 * share, "% of an epoch", note),
    ]
