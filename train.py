"""Train a model: python train.py model=premixnet_lsro data=mashupdb data.root=data/real."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from data_pipelines import demo, loops, mixes, negatives
from mashnet.cli import compose, entry_point
from mashnet.data.loops import STRATEGIES
from mashnet.errors import ConfigError, require_one_of
from mashnet.tasks.fit import fit, new_run_folder, read_run

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


@entry_point("train")
def main(config: DictConfig) -> None:
    """Train, or resume, and say where the result lies and what to do with it."""
    run: Path | None = None
    if config.resume:
        run = Path(config.resume)
        settings = read_run(run)
    else:
        settings = settings_of(config)
        if config.run and (run := Path(config.runs) / config.run).exists():
            raise ConfigError(
                f"{run} exists already; go on with it by: python train.py resume={run}"
            )
    if settings["data"]["name"] == "demo":
        root = settings["data"]["root"]
        demo.make(compose("demo", [f"out={root}"], demo.CONFIG_DIR))
        if settings["model"]["view"] == "loops":
            overrides = [f"db={root}", *settings["data"]["loops"]]
            loops.make(compose("loops", overrides, loops.CONFIG_DIR))
            negatives.make(compose("negatives", [f"db={root}"], negatives.CONFIG_DIR))
        elif settings["model"]["view"] == "mixes":
            overrides = [f"db={root}", *settings["data"]["mixes"]]
            mixes.make(compose("mixes", overrides, mixes.CONFIG_DIR))
    run = run or new_run_folder(Path(config.runs), settings["name"])
    print(f"run: {run}    (go on after an interruption with: python train.py resume={run})")
    best = fit(run, settings)
    print(f"best checkpoint: {best}")
    protocol = PROTOCOLS[settings["model"]["view"]]
    print(f"evaluate: python evaluate.py checkpoint={run} protocol={protocol}")
    print(f"export:   python -m mashnet.export checkpoint={run} out=checkpoints/{settings['name']}")


if __name__ == "__main__":
    main()
