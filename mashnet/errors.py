"""The errors a user is meant to read, and the near miss that helps with typing."""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable
from pathlib import Path

# What a disk may say, and what is to be done about it.
DISK_ADVICE = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "make room there"),
    **dict.fromkeys((errno.EROFS, errno.EACCES, errno.EPERM), "make it writable"),
    errno.EIO: "see to the disk",
}


# What a terminal would obey: the controls of ASCII and of Latin-1 but for tabs and ends of lines.
_CONTROLS = dict.fromkeys([*range(9), *range(0xB, 0x20), 0x7F, *range(0x80, 0xA0)], "\ufffd")


def printable(text: str) -> str:
    """Return a text with "\ufffd" for whatever a terminal would obey and not show.

    Titles and names of strangers' files may hold such; they could recolour, erase or rewrite.
    """
    return text.translate(_CONTROLS)


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


class StorageError(MashnetError):
    """A store beyond this machine that cannot be reached, refuses, or broke off.

    Never a fault of the one file in question: it ends a run, and the same command goes on.
    """


def disk_error(error: OSError, where: Path | str) -> MashnetError:
    """Return what to say of a file that cannot be read or written: which, why, what to do.

    Args:
        error: as the system raised it.
        where: what is named if the error names no file.
    """
    advice = DISK_ADVICE.get(error.errno or 0)
    then = f"; {advice}, and the same command goes on" if advice else ""
    return MashnetError(f"{error.filename or where}: {error.strerror or error}{then}")


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
