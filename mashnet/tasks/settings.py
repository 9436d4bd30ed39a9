"""From what is typed to the settings of a run: a new one's, or those of one that goes on."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from mashnet.data.loops.loops import STRATEGIES
from mashnet.errors import ConfigError, require_one_of
from mashnet.files import TEMPORARY_SUFFIX
from mashnet.invocation import program, setting
from mashnet.models.text_encoder_path import chosen_by_user
from mashnet.tasks.fit import new_run_folder, read_run

# What of the data block is for which view; the rest would only puzzle who reads a run's config.
LOOP_DATA = ("name", "root", "loops", "batch_size", "num_workers")
STEM_DATA = ("name", "root", "chunks", "batch_size", "num_workers")
PHRASE_DATA = ("name", "root", "phrases", "batch_size", "num_workers")


def settings_of(config: DictConfig) -> dict[str, Any]:
    """Return the plain configuration that a run keeps: the model at the chosen scale."""
    plain: Any = OmegaConf.to_container(config, resolve=True)
    view = plain["model"]["view"]
    scale = plain["scale"][plain["model"].get("scale", view)]
    data = {**plain["data"], "batch_size": scale["batch_size"]}
    name = plain["model"]["name"]
    if view == "loops":
        data = {key: data[key] for key in LOOP_DATA if key in data}
        data["negatives"] = require_one_of("negatives", plain["negatives"], STRATEGIES)
        name = f"{name}+{data['negatives']}"
    elif view == "stems":
        data = {key: data[key] for key in STEM_DATA if key in data}
    elif view == "phrases":
        data = {key: data[key] for key in PHRASE_DATA if key in data}
    else:
        for of_others in ("chunks", "phrases"):
            data.pop(of_others, None)
    return {
        "name": name,
        "seed": plain["seed"],
        "init_from": plain["init_from"],
        "model": {
            **plain["model"],
            **{k: scale[k] for k in ("sizes", "frontend", "learning_rate")},
        },
        "data": data,
        "trainer": plain["trainer"],
        "logger": plain["logger"],
    }


# Of a run that goes on, these may be named anew: they do not decide the result.
WHERE = ("devices", "num_nodes", "timeout_s")


def trainer_of(config: DictConfig, run: Path | None, overrides: Collection[str]) -> dict[str, Any]:
    """Return the trainer's settings: of the command, or of the run that is to go on.

    A trainer that is named beside `resume=` says where the run goes on: on how many devices.

    Args:
        config: as composed.
        run: that is to go on, if any.
        overrides: what was typed for this job.

    Raises:
        ConfigError: if something else of it was typed beside `resume=`.
        CheckpointError: if there is no such run.
    """
    named: Any = OmegaConf.to_container(config.trainer, resolve=True)
    if run is None:
        return named
    kept = read_run(run)["trainer"]
    typed = {override.split("=")[0].lstrip("+") for override in overrides}
    typed = {name for name in typed if name.split(".")[0] == "trainer"}
    if others := typed - {"trainer", *(f"trainer.{name}" for name in WHERE)}:
        raise ConfigError(
            f"{', '.join(sorted(others))} cannot be changed beside resume=: a run keeps what "
            f"decides its result. Beside it go trainer=ddp, trainer=default, {', '.join(WHERE)}"
        )
    if not typed:
        return kept
    kept = {name: value for name, value in kept.items() if name not in WHERE}
    return {**kept, **{name: named[name] for name in WHERE if name in named}}


def begin(config: DictConfig, trainer: dict[str, Any]) -> tuple[Path, dict[str, Any]]:
    """Return the folder of the run and its settings.

    Raises:
        ConfigError: if a new run is to lie where one lies already.
        CheckpointError: if there is no run to go on with.
    """
    if config.resume:
        run = Path(config.resume)
        kept = read_run(run)
        sizes = chosen_by_user(kept["model"]["sizes"], None, str(run))
        return run, {**kept, "model": {**kept["model"], "sizes": sizes}, "trainer": trainer}
    settings = settings_of(config)
    if not config.run:
        return new_run_folder(Path(config.runs), settings["name"]), settings
    run = Path(config.runs) / config.run
    if run.exists() and not is_beginning(run):
        again = f"{program('train')} {setting('resume', run)}"
        raise ConfigError(f"{run} exists already; go on with it by: {again}")
    return run, settings


def is_beginning(run: Path) -> bool:
    """Return whether a folder is what a run leaves that was killed before it wrote anything."""
    return run.is_dir() and all(TEMPORARY_SUFFIX in path.name for path in run.iterdir())
