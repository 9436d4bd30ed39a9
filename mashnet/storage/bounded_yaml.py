"""YAML of strangers: read as plain values, within bounds of size, number and depth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from mashnet.storage.regular_files import read_bounded

MOST_TEXT_BYTES = 200_000  # of a configuration; those that are written have about a thousand
_MOST_VALUES = 10_000  # in a configuration, aliases counted wherever they stand
_MOST_DEPTH = 20


def bounded_text(path: Path) -> str:
    """Return a text file that people write, of no more than `MOST_TEXT_BYTES`.

    Raises:
        OSError: if it cannot be read, or is no regular file.
        ValueError: if it is longer, or not UTF-8.
    """
    return read_bounded(path, MOST_TEXT_BYTES).decode("utf-8")


def plain_yaml(text: str) -> Any:
    """Return the plain values of a YAML text; no tag makes an object of any other kind.

    Raises:
        ValueError: if it is not YAML, nested too deeply, or has too many values.
    """
    try:
        value = yaml.safe_load(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error
    _count(value, 0, 0)
    return value


def _count(value: Any, counted: int, depth: int) -> int:
    """Return how many values there are; an alias is counted where it stands."""
    counted += 1
    if counted > _MOST_VALUES or depth > _MOST_DEPTH:
        raise ValueError("it has too many values or is nested too deeply")
    inside = [*value, *value.values()] if isinstance(value, dict) else value
    if isinstance(inside, list):
        for one in inside:
            counted = _count(one, counted, depth + 1)
    return counted
