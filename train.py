"""Train a model: python train.py model=premixnet_lsro data=mashupdb data.root=data/real."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from data_pipelines import demo, mixes
from mashnet.cli import compose, entry_point
from mashnet.errors import ConfigError
from mashnet.tasks.fit import fit, new_run_folder, read_run


def settings_of(config: DictConfig) -> dict[str, Any]:
    """Return the plain configuration that a run keeps: the model at the chosen scale."""
    plain: Any = OmegaConf.to_container(config, resolve=True)
    scale = plain["scale"]["mix"]
    return {
        "name": plain["model"]["name"],
        "seed": plain["seed"],
        "model": {
            **plain["model"],
            **{k: scale[k] for k in ("sizes", "frontend", "learning_rate")},
        },
        "data": {**plain["data"], "batch_size": scale["batch_size"]},
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
        overrides = [f"db={root}", *settings["data"]["mixes"]]
        mixes.make(compose("mixes", overrides, mixes.CONFIG_DIR))
    run = run or new_run_folder(Path(config.runs), settings["name"])
    print(f"run: {run}    (go on after an interruption with: python train.py resume={run})")
    best = fit(run, settings)
    print(f"best checkpoint: {best}")
    print(f"evaluate: python evaluate.py checkpoint={run} protocol=mashup_retrieval")
    print(f"export:   python -m mashnet.export checkpoint={run} out=checkpoints/{settings['name']}")


if __name__ == "__main__":
    main()
