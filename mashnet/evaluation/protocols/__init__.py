"""One file per protocol; each talks to Scorers only and is found by its name.

A protocol is a module with a function `run(scorers, source, *, bootstrap, …) -> Outcome`; what
else it takes stands in configs/protocol/<name>.yaml. VIEW names what it asks about: mixes (if it
has none), loops, stems, clips as they are, songs, mashups that could be made (proposals), or
vocals that look for an accompaniment (seeds). A `run` that takes a `folder` leaves sound there.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from types import ModuleType

from mashnet.errors import require_one_of
from mashnet.evaluation.results import Outcome


def names() -> list[str]:
    """Return the names of all protocols."""
    return sorted(info.name for info in pkgutil.iter_modules(__path__))


def find(name: str) -> Callable[..., Outcome]:
    """Return the `run` of a protocol.

    Raises:
        ConfigError: if there is none of that name.
    """
    return _module(name).run


def view_of(name: str) -> str:
    """Return what a protocol asks about: mixes, or what its VIEW says."""
    return getattr(_module(name), "VIEW", "mixes")


def renders(name: str) -> bool:
    """Return whether a protocol leaves sound in the result folder."""
    return "folder" in inspect.signature(find(name)).parameters


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"{__name__}.{require_one_of('protocol', name, names())}")
