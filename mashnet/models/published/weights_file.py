"""The file with published weights that a setting names; its absence says where to get it."""

from __future__ import annotations

from pathlib import Path

from mashnet.errors import ConfigError


def weights_file(weights: str | None, *, scorer: str, source: str) -> Path:
    """Return the file's path.

    Args:
        weights: what `scorer.weights` says.
        scorer: name of the scorer that needs it.
        source: which file of which place it is.

    Raises:
        ConfigError: if no file is named, or there is none.
    """
    if weights is None:
        raise ConfigError(f"scorer={scorer} needs scorer.weights=FILE: download {source}")
    path = Path(weights)
    if not path.is_file():
        raise ConfigError(f"scorer.weights={weights} is no file: download {source}")
    return path
