"""What is typed: python -m data_pipelines.demo key=value …; the work is in stage.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mashnet.commands.hydra_program import CONFIGS, entry_point

if TYPE_CHECKING:
    from omegaconf import DictConfig


@entry_point("demo", CONFIGS / "pipeline")
def main(config: DictConfig) -> None:
    """Make the corpus and say where it lies."""
    # Imported here: a mistyped setting is refused without the libraries that the work takes.
    from data_pipelines.demo.stage import make

    database = make(config)
    splits = database.clips["split"].value_counts().sort("split")
    print("splits: " + ", ".join(f"{split} {count}" for split, count in splits.iter_rows()))


if __name__ == "__main__":
    main()
