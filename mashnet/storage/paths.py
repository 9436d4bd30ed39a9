"""What a user's path or URL names: a file of this machine, or one in a store.

A local path stays a `pathlib.Path`, and nothing here imports fsspec for it. A URL such as
`s3://bucket/folder` becomes a `StorePath`, which has the methods of `Path` that mashnet uses.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote, urlsplit

from mashnet.storage.ranges import RangeReader
from mashnet.storage.regular_files import require_regular
from mashnet.storage.store_path import StorePath

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")  # a Windows drive has one letter

_LONGEST_SUFFIX = 16  # characters
_IN_ONE_REQUEST = 256 << 20  # bytes; a longer file would take too much memory at once


def is_url(name: str | os.PathLike[str] | StorePath) -> bool:
    """Return whether a name means something in a store and not a file of this machine."""
    if isinstance(name, StorePath):
        return True
    text = os.fspath(name) if not isinstance(name, str) else name
    return bool(_URL.match(text)) and not text.lower().startswith("file://")


def root_of(name: str | os.PathLike[str] | StorePath) -> Path:
    """Return what a user's path or URL names.

    Returns:
        A `pathlib.Path` for a local path and for file://, else a `StorePath`; it is typed as the
        Path whose methods it has.

    Raises:
        ConfigError: if the URL's scheme is unknown or its package is not installed.
    """
    if isinstance(name, StorePath):
        return cast(Path, name)
    if isinstance(name, Path):
        return name
    text = os.fspath(name)
    if is_url(text):
        return cast(Path, StorePath(text))
    if text.lower().startswith("file://"):
        return Path(unquote(urlsplit(text).path))
    return Path(text)


def is_local(path: Path) -> bool:
    """Return whether a path from `root_of` lies on this machine."""
    return not isinstance(path, StorePath)


def missing(folder: Path, paths: Iterable[Path]) -> set[Path]:
    """Return those of some files that are not there.

    A store is asked for its list, a thousand names at a time, and not once for each file.
    """
    if is_local(folder):
        return {path for path in paths if not path.is_file()}
    there = set(file_sizes(folder))

    def is_there(path: Path) -> bool:
        if not path.is_relative_to(folder):
            return path.is_file()
        return path.relative_to(folder).as_posix() in there

    return {path for path in paths if not is_there(path)}


def file_sizes(folder: Path) -> dict[str, int]:
    """Return the bytes of each file under a folder, by its path from there."""
    if isinstance(folder, StorePath):
        return folder.file_sizes()
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in found}


@contextlib.contextmanager
def decodable(path: Path, *, whole: bool) -> Iterator[Any]:
    """Yield what a decoder reads a file from: a local name as bytes, or a file object.

    Args:
        path: the file; one in a store must not be empty.
        whole: whether all of it will be read, which costs a store one request unless the file is
            very long, or some stretch.

    Raises:
        StorageError: if the store failed while the decoder read.
    """
    if not isinstance(path, StorePath):
        require_regular(path)
        # Bytes: a name that is not valid UTF-8 cannot be encoded by soundfile itself.
        yield os.fsencode(path)
        return
    if whole:
        content = path.read_range(0, _IN_ONE_REQUEST)
        if len(content) < _IN_ONE_REQUEST:
            yield io.BytesIO(content)
            return
        del content  # it is longer than may be held
    with RangeReader(path, quiet=True) as file:
        try:
            yield file
        except Exception:
            if file.failure is not None:
                raise file.failure from None
            raise
        if file.failure is not None:
            raise file.failure


@contextlib.contextmanager
def downloaded(path: Path) -> Iterator[Path]:
    """Yield a local file with a path's content: the path itself, or a copy for this block.

    Raises:
        StorageError: if the store fails.
    """
    if not isinstance(path, StorePath):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="mashnet.") as folder:
        # Not under its own name: a store takes longer ones than a disk. Decoders look at its end.
        local = Path(folder) / f"copy{path.suffix[:_LONGEST_SUFFIX]}"
        path.download(local)
        yield local
