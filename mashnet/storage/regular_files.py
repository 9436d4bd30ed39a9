"""Opening strangers' files: regular files only (no pipe, no device), and only so many bytes.

A folder from elsewhere may hold a pipe, a device or a link to one under any name. To open a pipe is
to wait for somebody who writes into it; to read a device may have no end. Whoever reads a file by
itself takes `opened` or what is built on it; whoever hands a name to a library that opens it
(numpy, FAISS, libsndfile) calls `require_regular` just before.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, BinaryIO, TypeVar, cast

from mashnet.storage.store_path import StorePath

Found = TypeVar("Found")
MOST_JSON_BYTES = 10_000_000  # of a file with settings, a cache's record or a table's description
# A pipe is opened without waiting (and then refused), a terminal does not become this program's.
_FLAGS = os.O_RDONLY | sum(
    getattr(os, name, 0) for name in ("O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC", "O_BINARY")
)


def opened(path: Path) -> BinaryIO:
    """Open a file for reading bytes; one of a store by range.

    Raises:
        OSError: if there is none, it cannot be read, or it is no regular file; symbolic links are
            followed.
    """
    if isinstance(path, StorePath):
        return cast("BinaryIO", path.open("rb"))
    require_regular(path)  # before: with some devices it is the opening that does something
    handle = os.open(path, _FLAGS)
    try:
        _require_regular(os.fstat(handle).st_mode, path)  # after: it may be another file by now
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def looked_into(source: bytes | IO[bytes], look: Callable[[Any], Found]) -> Found | None:
    """Return what a function finds in a file; None where that cannot be read.

    Args:
        source: name of a file, or a file object, whose position is left where it was.
        look: takes the file, open for reading bytes.
    """
    with contextlib.suppress(OSError):
        if isinstance(source, bytes):
            with opened(Path(os.fsdecode(source))) as file:
                return look(file)
        position = source.tell()
        try:
            return look(source)
        finally:
            source.seek(position)
    return None


def require_regular(path: Path) -> None:
    """Raise an OSError unless a path names a regular file, links followed, or one of a store."""
    if not isinstance(path, StorePath):
        _require_regular(os.stat(path).st_mode, path)


def _require_regular(mode: int, path: Path) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "is a pipe or a device, not a file", str(path))


def read_bounded(path: Path, most_bytes: int) -> bytes:
    """Return the content of a file that has no business being long.

    Raises:
        OSError: as `opened`.
        ValueError: if it has more than `most_bytes`.
    """
    if isinstance(path, StorePath):
        content = path.read_range(0, most_bytes + 1)  # one request, where to open takes two
    else:
        with opened(path) as file:
            content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise ValueError(f"it has more than {most_bytes} bytes")
    return content


def read_json(path: Path, most_bytes: int = MOST_JSON_BYTES) -> Any:
    """Return what a JSON file holds.

    Raises:
        OSError: as `opened`.
        ValueError: if it is too long, not UTF-8, no JSON, or nested too deeply.
    """
    content = read_bounded(path, most_bytes)
    try:
        return json.loads(content.decode("utf-8-sig"))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
