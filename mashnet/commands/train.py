"""Train a model: python train.py model=premixnet_lsro data=mashupdb data.root=data/real."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mashnet.commands.hydra_program import entry_point, job_overrides
from mashnet.commands.imports import importing
from mashnet.commands.stages import run_stage

if TYPE_CHECKING:
    from omegaconf import DictConfig


@entry_point("train")
def main(config: DictConfig) -> None:
    """Train, or resume, and say where the result lies and what to do with it."""
    # Imported here: a mistyped setting is refused without torch.
    with importing():
        from mashnet.tasks.training import train

    train(config, job_overrides(), module="mashnet.commands.train", prepare=make_demo)


def make_demo(settings: dict[str, Any]) -> None:
    """Make the demo corpus, and what this run needs of it, unless it is there."""
    data = settings["data"]
    if data["name"] != "demo":
        return
    view = settings["model"]["view"]
    run_stage("demo", f"out={data['root']}")
    if view == "loops":
        run_stage("loops", f"db={data['root']}", *data["loops"])
        run_stage("negatives", f"db={data['root']}")
    elif view == "mixes":
        run_stage("mixes", f"db={data['root']}", *data["mixes"])


if __name__ == "__main__":
    main()
