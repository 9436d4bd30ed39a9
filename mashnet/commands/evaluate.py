"""Evaluate: python evaluate.py checkpoint=runs/<run> protocol=mix_classification."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mashnet.commands.hydra_program import entry_point, typed_command
from mashnet.commands.imports import importing
from mashnet.invocation import program

if TYPE_CHECKING:
    from omegaconf import DictConfig


@entry_point("evaluate")
def main(config: DictConfig) -> None:
    """Run one protocol over a checkpoint (or one rule) and the rules that are always beside it."""
    # Imported here: a mistyped setting is refused, and a rendering process starts, without torch.
    with importing():
        from omegaconf import OmegaConf

        from mashnet.evaluation.run import evaluate

    settings: Any = OmegaConf.to_container(config, resolve=True)
    evaluate(settings, command=typed_command(*program("evaluate").split()))


if __name__ == "__main__":
    main()
