"""A training from settings to what is said at its end, in one process or in several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from mashnet.invocation import program, setting
from mashnet.tasks.fit import fit, new_run_folder
from mashnet.tasks.launching import launch
from mashnet.tasks.meeting import joined, processes_to_start
from mashnet.tasks.processes import said_for_one
from mashnet.tasks.settings import begin, settings_of, trainer_of

PROTOCOLS = {
    "mixes": "mashup_retrieval",
    "loops": "loop_ranking",
    "stems": "stem_retrieval",
    "phrases": "placement",
}


def train(
    config: DictConfig,
    overrides: Sequence[str],
    *,
    module: str,
    prepare: Callable[[dict[str, Any]], None],
) -> None:
    """Train, or resume, and say where the result lies and what to do with it.

    Args:
        config: what configs/train.yaml describes.
        overrides: what was typed for it.
        module: the program that was called, for the processes that train together.
        prepare: makes the data that the settings of a new run ask for, where it is ours to make.
            One that goes on may be a stranger's, and has its data: nothing is made for it.

    Raises:
        MashnetError: if a setting, the data or the run cannot be used.
        KeyboardInterrupt: after Ctrl-C, once the checkpoint is safe.
    """
    trainer = trainer_of(config, Path(config.resume) if config.resume else None, overrides)
    if (count := processes_to_start(trainer)) > 1:
        _train_together(config, overrides, module, count)
        return
    with joined(trainer) as processes:
        say = print if processes.rank == 0 else lambda _: None
        run, settings = processes.decide(lambda: begin(config, trainer))
        advice = f"{program('train')} {setting('resume', run)}"
        if not config.resume:
            # One process of each machine: the stages take all cores themselves.
            processes.in_turn(lambda: prepare(settings) if processes.local_rank == 0 else None)
        say(f"run: {run}    (go on after an interruption with: {advice})")
        with said_for_one(processes, advice):
            best = fit(run, settings, processes)
        say(f"best checkpoint: {best}")
        protocol = PROTOCOLS[settings["model"]["view"]]
        say(f"evaluate: {program('evaluate')} {setting('checkpoint', run)} protocol={protocol}")
        out = f"checkpoints/{settings['name']}"
        say(
            f"export:   python -m mashnet.export {setting('checkpoint', run)} {setting('out', out)}"
        )


def _train_together(
    config: DictConfig, overrides: Sequence[str], module: str, processes: int
) -> None:
    """Run the same command in several processes of this machine."""
    run = Path(config.resume) if config.resume else None
    if run is None:
        runs = Path(config.runs)
        run = runs / config.run if config.run else new_run_folder(runs, settings_of(config)["name"])
        overrides = [*(o for o in overrides if not o.startswith("run=")), f"run={run.name}"]
    advice = f"go on with: {program('train')} {setting('resume', run)}"
    launch(module, overrides, processes=processes, advice=advice)
