"""Finds a source by its name: data_pipelines/sources/<name>.py with a function `find`."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator

from omegaconf import DictConfig

import data_pipelines.sources
from data_pipelines.sources.song import RawSong, Reject
from mashnet.errors import require_one_of

Find = Callable[[DictConfig], Iterator[RawSong | Reject]]
_NOT_SOURCES = {"song", "folders", "lookup"}


def source_names() -> list[str]:
    """Return the names that `source=` accepts."""
    modules = pkgutil.iter_modules(data_pipelines.sources.__path__)
    return sorted(module.name for module in modules if module.name not in _NOT_SOURCES)


def load_source(name: str) -> Find:
    """Return the function that yields a source's songs for a pipeline configuration.

    Raises:
        ConfigError: naming the near miss, if there is no such source.
    """
    require_one_of("source", name, source_names())
    find: Find = importlib.import_module(f"data_pipelines.sources.{name}").find
    return find
