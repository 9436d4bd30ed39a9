"""The sources of music by name; each has a function `find` in a file of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from omegaconf import DictConfig

from data_pipelines.sources.song import RawSong, Reject
from mashnet.registry import Registry

Find = Callable[[DictConfig], Iterator[RawSong | Reject]]
SOURCES = Registry(
    "source",
    {
        "fma": "data_pipelines.sources.fma:find",
        "harmonix": "data_pipelines.sources.harmonix:find",
        "moisesdb": "data_pipelines.sources.moisesdb:find",
        "musdb18": "data_pipelines.sources.musdb18:find",
        "slakh2100": "data_pipelines.sources.slakh2100:find",
        "songs": "data_pipelines.sources.songs:find",
        "stems": "data_pipelines.sources.stems:find",
    },
)


def load_source(name: str) -> Find:
    """Return the function that yields a source's songs for a pipeline configuration.

    Raises:
        ConfigError: naming the near miss, if there is no such source.
    """
    find: Find = SOURCES.load(name)
    return find
