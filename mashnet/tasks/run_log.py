"""The log of a run: a file for each session, read back by epoch, and drawn as curves."""

from __future__ import annotations

import csv
import io
import math
import re
from pathlib import Path
from typing import Any

import matplotlib
from pytorch_lightning.loggers import CSVLogger, Logger

from mashnet.errors import CheckpointError, ConfigError
from mashnet.extras import advice
from mashnet.files import written_atomically
from mashnet.storage.contained_paths import place
from mashnet.storage.regular_files import read_bounded

_MOST_LOG_BYTES = 200_000_000  # of one session; a row has a hundred
_MOST_EPOCHS = 1 << 31
_MOST_FIGURE = 1e30
_NO_FIGURES = (None, "", "epoch", "step")


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

    from mashnet.figure_files import save_figure

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
