"""Training and export as functions; imported by the process that forks their runs."""

from __future__ import annotations

import hashlib
import importlib
import json
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import torch
import yaml
from omegaconf import OmegaConf

from data_pipelines.mixes import stage as mixes
from mashnet.audio.numba_imports import compiling_alone
from mashnet.commands.hydra_program import compose
from mashnet.commands.last_line import ending_in_one_line
from mashnet.export.bundle import export_bundle
from mashnet.files import TEMPORARY_SUFFIX
from mashnet.tasks.fit import fit
from mashnet.tasks.run_log import read_log
from mashnet.tasks.settings import begin
from tests.conftest import make_tiny_database

MODEL = "premixnet_lsro"
EPOCHS = 3
SMALL = (
    "data=mashupdb",
    f"model={MODEL}",
    f"trainer.max_epochs={EPOCHS}",
    "trainer.accelerator=cpu",
    "scale.mixes.frontend.window_s=1.0",
    "scale.mixes.frontend.n_mels=16",
    "scale.mixes.frontend.n_fft=2048",
    "scale.mixes.sizes={n_mels: 16, source_filters: [2, 4], joint_filters: 8, dense: 8}",
    "scale.mixes.batch_size=4",
)
SPEED = ("train/waiting_share", "train/epoch_s")

# What is imported when it is needed is imported once, before the forks.
for _module in ("librosa.filters", "matplotlib.pyplot", "numba", "s3fs"):
    with suppress(ModuleNotFoundError), compiling_alone():
        importlib.import_module(_module)


def mixed_database(root: str) -> None:
    """Make a database of eight songs and their mixes."""
    make_tiny_database(Path(root), songs=8)
    counts = "{original: 1, matched: 1, unmatched_key: 1, unmatched_tempo: 0}"
    settings = [f"per_seed.{split}={counts}" for split in ("train", "val", "test")]
    mixes.make(
        compose(
            "mixes", [f"db={root}", "workers=1", "duration.min_s=5", *settings], mixes.CONFIG_DIR
        )
    )


@cache
def _composed(root: str, *more: str) -> Any:
    return compose("train", [*SMALL, f"data.root={root}/db", f"runs={root}", *more])


def ready(root: str, **_: Any) -> None:
    """Compose the settings before the fork."""
    _composed(root, "run=run")
    _composed(root, f"resume={root}/run")


def training(root: str) -> None:
    """Train <root>/run on <root>/db as the program does: begin, or go on where it is said so."""
    begun = (Path(root) / "run" / "config.yaml").is_file()
    config = _composed(root, f"resume={root}/run" if begun else "run=run")
    with ending_in_one_line("go on"):
        trainer: Any = OmegaConf.to_container(config.trainer, resolve=True)
        run, settings = begin(config, trainer)
        fit(run, settings)


def result_of_training(root: str) -> None:
    """Print what a run has come to: its curve, its weights, what else lies in its folder."""
    run = Path(root) / "run"
    found: dict[str, Any] = {"curve": {}}
    if run.is_dir():
        for epoch, values in read_log(run).items():
            # How fast it went is a matter of the machine.
            kept = {k: v for k, v in values.items() if k not in SPEED}
            found["curve"][str(epoch)] = kept
        for path in sorted(run.rglob("*")):
            name = path.relative_to(run).as_posix()
            if path.suffix == ".ckpt" and TEMPORARY_SUFFIX not in name:
                found[name] = _digest(path)
            elif name == "config.yaml":
                config = yaml.safe_load(path.read_text("utf-8"))
                config.pop("made_with")  # versions, and the commit somebody works on
                found[name] = str(config)
            elif path.is_file() and not name.startswith("log/"):  # a folder of each session
                found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    print(json.dumps(found))


def _digest(checkpoint: Path) -> str:
    """Return a hash of the weights, the optimiser's state and how far it has come."""
    content = torch.load(checkpoint, weights_only=True)
    digest = hashlib.sha256(str(content["epoch"]).encode())
    for state in content["state_dict"], *(s["state"] for s in content["optimizer_states"]):
        for name, value in sorted(state.items(), key=str):
            tensors = value.values() if isinstance(value, dict) else [value]
            digest.update(str(name).encode())
            for tensor in tensors:
                digest.update(torch.as_tensor(tensor).contiguous().numpy().tobytes())
    return digest.hexdigest()


def export(root: str) -> None:
    """Export <root>/run as <root>/bundle."""
    with ending_in_one_line("go on"):
        export_bundle(Path(root) / "run", Path(root) / "bundle")
