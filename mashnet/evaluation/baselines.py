"""The Scorers that are not learned, found by name: they give every figure its meaning."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from typing import Any, cast

import mashnet.models
from mashnet.errors import ConfigError, require_one_of
from mashnet.models.scorer import Scorer


def scorer_classes() -> dict[str, Callable[..., Scorer]]:
    """Return the classes in mashnet.models whose `name` is that of their module."""
    found: dict[str, Callable[..., Scorer]] = {}
    for info in pkgutil.iter_modules(mashnet.models.__path__):
        module = importlib.import_module(f"mashnet.models.{info.name}")
        for value in vars(module).values():
            if inspect.isclass(value) and getattr(value, "name", None) == info.name:
                found[info.name] = cast(Callable[..., Scorer], value)
    return found


def build(name: str, settings: Mapping[str, Any]) -> Scorer:
    """Build a Scorer that is not learned.

    Args:
        name: of its module and config.
        settings: arguments of its constructor.

    Raises:
        ConfigError: if there is no such Scorer, or it refuses its settings.
    """
    known = scorer_classes()
    try:
        return known[require_one_of("scorer", name, known)](**settings)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"scorer={name}: {error}") from error
