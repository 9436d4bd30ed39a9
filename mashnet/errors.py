"""The errors a user is meant to read, and the near miss that helps with typing."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class MashnetError(Exception):
    """A problem the user can mend. Entry points print its text in one line and exit with 2."""


class AudioError(MashnetError):
    """Sound that cannot be used: unreadable, empty, not finite, silent."""


class DatabaseError(MashnetError):
    """A MashupDB that is missing, incomplete, or of another schema version."""


class ConfigError(MashnetError):
    """A setting that does not exist or has a value that is not allowed."""


class CheckpointError(MashnetError):
    """A checkpoint or bundle that is missing, damaged, or made for something else."""


def near_miss(given: str, allowed: Iterable[str]) -> str:
    """Return " Did you mean 'x'?" for the allowed name nearest to `given`, else ""."""
    match = difflib.get_close_matches(given, list(allowed), n=1, cutoff=0.5)
    return f" Did you mean '{match[0]}'?" if match else ""


def require_one_of(name: str, given: str, allowed: Iterable[str]) -> str:
    """Return `given` if it is allowed.

    Args:
        name: what the value is called where the user typed it.
        given: what the user typed.
        allowed: the values that would have been accepted.

    Raises:
        ConfigError: naming the nearest allowed value and all of them.
    """
    options = sorted(allowed)
    if given in options:
        return given
    raise ConfigError(
        f"{name} '{given}' is not available.{near_miss(str(given), options)} "
        f"Available: {', '.join(options)}."
    )
