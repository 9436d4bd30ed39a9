"""What is typed: python -m data_pipelines.loops key=value …; the work is in stage.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mashnet.commands.hydra_program import CONFIGS, entry_point

if TYPE_CHECKING:
    from omegaconf import DictConfig


@entry_point("loops", CONFIGS / "pipeline")
def main(config: DictConfig) -> None:
    """Find the loops of the database that the command line names."""
    # Imported here: a mistyped setting is refused without the libraries that the work takes.
    from data_pipelines.loops.stage import make

    make(config)


if __name__ == "__main__":
    main()
