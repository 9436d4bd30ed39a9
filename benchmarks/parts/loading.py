"""Training examples per second that are read, without a network that waits for them.

Beside the loaders as they are used: chunks of stems read from samples, by seeking in FLAC, and by
decoding whole files (benchmarks.stems).
"""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from benchmarks import stems
from benchmarks.measuring import Row, measure, row
from benchmarks.training_library import MODELS, run_settings, training_library

LEAST_S = {"quick": 0.2, "full": 3.0}
FLAC = {
    "quick": {"songs": 2, "song_s": 12, "batch": 8, "workers": 0, "rounds": 1},
    "full": {"songs": 3, "song_s": 90, "batch": 64, "workers": 0, "rounds": 2},
}


def measure_part(scale: str, folder: Path) -> list[Row]:
    """Measure every loader in a process of its own."""
    # Loops and parts are found in a process of their own, so that nothing of it stays behind.
    measure(partial(_prepare, folder, scale), "training library")
    root = training_library(folder, scale)
    rows: list[Row] = []
    for model in MODELS:
        rows += measure(partial(_loader, root, model, scale), model)
    return rows + measure(partial(_ways_to_read, folder, scale), "FLAC")


def _prepare(folder: Path, scale: str) -> list[Row]:
    training_library(folder, scale)
    return []


def _loader(root: Path, model: str, scale: str) -> list[Row]:
    from mashnet.tasks.jobs import job_of

    data = job_of(run_settings(root, model, scale), "cpu").data
    loader = (
        data["datamodule"].train_dataloader() if "datamodule" in data else data["train_dataloaders"]
    )
    for _ in loader:  # files are mapped
        break
    read, began_s = 0, time.perf_counter()
    while time.perf_counter() - began_s < LEAST_S[scale]:
        for batch in loader:
            read += examples_in(batch)
    seconds = time.perf_counter() - began_s
    note = "as training reads them, in its own process"
    return [row(f"examples of {model}", read / seconds, "items/s", note)]


def examples_in(batch: dict[str, Any]) -> int:
    """Return how many mixes, pairs or chunks a batch holds."""
    return len(batch["label"])


def _ways_to_read(folder: Path, scale: str) -> list[Row]:
    options: Any = OmegaConf.create(FLAC[scale])
    found = stems.measure(folder / f"stems, {scale}", options)
    names = {"loader": "samples", "seeking": "seeking in FLAC", "whole_files": "whole FLAC files"}
    return [
        row(f"chunks of 8 s from {names[way]}", rate, "items/s", "context and target, 16 kHz")
        for way, rate in found["chunks_per_s"].items()
    ]
