"""Train a model: python train.py model=premixnet_lsro data=mashupdb data.root=data/real."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from data_pipelines import demo, loops, mixes, negatives
from mashnet.cli import compose, entry_point, job_overrides
from mashnet.data.loops import STRATEGIES
from mashnet.errors import ConfigError, require_one_of
from mashnet.files import TEMPORARY_SUFFIX
from mashnet.tasks.fit import fit, new_run_folder, read_run
from mashnet.tasks.launching import launch
from mashnet.tasks.processes import joined, processes_to_start, said_for_one

# What of the data block is for which view; the rest would only puzzle who reads a run's config.
LOOP_DATA = ("name", "root", "loops", "batch_size", "num_workers")
STEM_DATA = ("name", "root", "chunks", "batch_size", "num_workers")
PROTOCOLS = {"mixes": "mashup_retrieval", "loops": "loop_ranking", "stems": "stem_retrieval"}


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
    else:
        data.pop("chunks", None)
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


def trainer_of(config: DictConfig, run: Path | None) -> dict[str, Any]:
    """Return the trainer's settings: of the command, or of the run that is to go on.

    A trainer that is named beside `resume=` says where the run goes on: on how many devices.
    """
    named: Any = OmegaConf.to_container(config.trainer, resolve=True)
    if run is None:
        return named
    kept = read_run(run)["trainer"]
    typed = {override.split("=")[0].lstrip("+") for override in job_overrides()}
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
    """Return the folder of the run and its settings."""
    if config.resume:
        return Path(config.resume), {**read_run(Path(config.resume)), "trainer": trainer}
    settings = settings_of(config)
    if not config.run:
        return new_run_folder(Path(config.runs), settings["name"]), settings
    run = Path(config.runs) / config.run
    if run.exists() and not is_beginning(run):
        raise ConfigError(f"{run} exists already; go on with it by: python train.py resume={run}")
    return run, settings


def is_beginning(run: Path) -> bool:
    """Return whether a folder is what a run leaves that was killed before it wrote anything."""
    return run.is_dir() and all(TEMPORARY_SUFFIX in path.name for path in run.iterdir())


def make_demo(settings: dict[str, Any]) -> None:
    """Make the demo corpus, and what this run needs of it, unless it is there."""
    if settings["data"]["name"] != "demo":
        return
    root = settings["data"]["root"]
    demo.make(compose("demo", [f"out={root}"], demo.CONFIG_DIR))
    if settings["model"]["view"] == "loops":
        overrides = [f"db={root}", *settings["data"]["loops"]]
        loops.make(compose("loops", overrides, loops.CONFIG_DIR))
        negatives.make(compose("negatives", [f"db={root}"], negatives.CONFIG_DIR))
    elif settings["model"]["view"] == "mixes":
        overrides = [f"db={root}", *settings["data"]["mixes"]]
        mixes.make(compose("mixes", overrides, mixes.CONFIG_DIR))


def train_together(config: DictConfig, count: int) -> None:
    """Run this command in several processes of this machine."""
    overrides = job_overrides()
    run = Path(config.resume) if config.resume else None
    if run is None:
        runs = Path(config.runs)
        run = runs / config.run if config.run else new_run_folder(runs, settings_of(config)["name"])
        overrides = [*(o for o in overrides if not o.startswith("run=")), f"run={run.name}"]
    advice = f"go on with: python train.py resume={run}"
    launch(Path(__file__), overrides, processes=count, advice=advice)


@entry_point("train")
def main(config: DictConfig) -> None:
    """Train, or resume, and say where the result lies and what to do with it."""
    trainer = trainer_of(config, Path(config.resume) if config.resume else None)
    if (count := processes_to_start(trainer)) > 1:
        train_together(config, count)
        return
    with joined(trainer) as processes:
        say = print if processes.rank == 0 else lambda _: None
        run, settings = processes.decide(lambda: begin(config, trainer))
        advice = f"python train.py resume={run}"
        # One process of each machine: the stages take all cores themselves.
        processes.in_turn(lambda: make_demo(settings) if processes.local_rank == 0 else None)
        say(f"run: {run}    (go on after an interruption with: {advice})")
        with said_for_one(processes, advice):
            best = fit(run, settings, processes)
        say(f"best checkpoint: {best}")
        protocol = PROTOCOLS[settings["model"]["view"]]
        say(f"evaluate: python evaluate.py checkpoint={run} protocol={protocol}")
        out = f"checkpoints/{settings['name']}"
        say(f"export:   python -m mashnet.export checkpoint={run} out={out}")


if __name__ == "__main__":
    main()
