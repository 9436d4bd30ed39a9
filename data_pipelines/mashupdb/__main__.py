"""What is typed: python -m data_pipelines.mashupdb key=value …; the work is in stage.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mashnet.commands.hydra_program import CONFIGS, entry_point

if TYPE_CHECKING:
    from omegaconf import DictConfig


@entry_point("mashupdb", CONFIGS / "pipeline")
def main(config: DictConfig) -> None:
    """Build the database that the command line describes."""
    # Imported here: a mistyped setting is refused without the libraries that the work takes.
    from data_pipelines.mashupdb.stage import build

    build(config)


if __name__ == "__main__":
    main()
