"""Evaluate: python evaluate.py checkpoint=runs/<run> protocol=mix_classification."""

from __future__ import annotations

from omegaconf import DictConfig, OmegaConf

from mashnet.cli import entry_point, typed_command


@entry_point("evaluate")
def main(config: DictConfig) -> None:
    """Run one protocol over a checkpoint (or one rule) and the rules that are always beside it."""
    # Imported here: a mistyped setting is refused, and a rendering process starts, without torch.
    from mashnet.evaluation.run import evaluate

    settings = OmegaConf.to_container(config, resolve=True)
    assert isinstance(settings, dict)
    evaluate(settings, command=typed_command("python", "evaluate.py"))  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
