"""Locks of temporary files: whether their writer still lives (a lock dies with its process).

A lock says what a process number in a name cannot: numbers are given out again, and each container
and each machine that shares a folder counts its own. Where there are no locks (Windows, some
network file systems) every temporary file seems to be left over.
"""

from __future__ import annotations

import contextlib
import os
import stat
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

TEMPORARY_SUFFIX = ".partial"  # what every name of a temporary file holds


def writing(handle: int) -> AbstractContextManager[object]:
    """Take the lock of a new file, as its writer, until the block that is begun with this ends.

    Args:
        handle: of the temporary file, as `tempfile.mkstemp` returns it; closed with the block.
    """
    if fcntl is None:
        os.close(handle)  # Windows renames no open file
        return contextlib.nullcontext()
    file = os.fdopen(handle, "rb")
    _is_taken(file)
    return file


def require_room(temporary: Path, path: Path | str) -> None:
    """Raise an OSError if the disk takes no more: encoders say so in words of their own."""
    try:
        with temporary.open("ab") as file:
            file.write(bytes(1 << 20))
            os.fsync(file.fileno())
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def remove_if_left(path: Path) -> bool:
    """Delete a temporary file unless somebody still writes it; return whether it was deleted."""
    try:
        if not stat.S_ISREG(path.lstat().st_mode):  # a pipe or a link is nothing that we began
            return False
        # For writing, without which a lock is refused on NFS.
        with path.open("r+b") as file:
            if _is_taken(file):
                return False
        path.unlink()
    except (
        FileNotFoundError,
        PermissionError,
        IsADirectoryError,
    ):  # it was finished just now, or is another user's
        return False
    return True


def _is_taken(file: IO[bytes]) -> bool:
    """Return whether another holds the file's lock; if none does, it is ours until we close it."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # this file system has no locks
        return False
    return False
