"""The model configs that ship, by the view that their networks are trained on."""

from __future__ import annotations

from pathlib import Path

from omegaconf import OmegaConf

from mashnet.commands.hydra_program import CONFIGS


def models_of(*views: str) -> list[str]:
    """Names of the configs of these views."""
    return [
        path.stem for path in sorted((CONFIGS / "model").glob("*.yaml")) if _view(path) in views
    ]


def _view(path: Path) -> str:
    config = OmegaConf.load(path)
    return config.get("view") or _view(path.with_name(f"{config.defaults[0]}.yaml"))
