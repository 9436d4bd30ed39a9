"""Copies of files of a store on this machine's disk, bounded in size, for what training reads.

A copy is never asked after again: only files that are named by their content may be read this way.
Several processes (DataLoader workers, ranks of one machine, runs) share one folder and one bound;
the folder must lie on a disk of this machine.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeVar

import numpy as np

from mashnet.errors import ConfigError
from mashnet.storage.regular_files import require_regular
from mashnet.storage.store_path import StorePath
from mashnet.storage.write_lock import TEMPORARY_SUFFIX, remove_if_left, writing

_DEFAULT_GB = 20.0
_IN_ONE_REQUEST = 8 << 20  # bytes; a longer file takes two more requests
_MADE_FREE = 0.1  # share of the bound that is emptied at once, so that few scans are needed
_LONGEST_SUFFIX = 16  # characters of a name in a store, which may be longer than a disk takes
_WAIT_S = 0.05

Read = TypeVar("Read")


def load_array(path: Path) -> np.ndarray:
    """Return a .npy file memory-mapped; one of a store through a copy on this machine's disk.

    Raises:
        FileNotFoundError: if there is no such file.
        StorageError: if the store fails.
        ValueError: if the file is damaged.
    """
    return read_mapped(path, _mapped)


def read_mapped(path: Path, read: Callable[[Path], Read]) -> Read:
    """Return what `read` makes of a file; of one in a store through a copy on this machine's disk.

    Args:
        path: the file; in a store, one that is named by its content.
        read: as in `LocalCopies.load`.

    Raises:
        FileNotFoundError: if there is no such file.
        StorageError: if the store fails.
    """
    if isinstance(path, StorePath):
        return local_copies().load(path, read)
    return read(path)


def local_copies() -> LocalCopies:
    """Return the cache that MASHNET_CACHE (a folder) and MASHNET_CACHE_GB (its bound) describe.

    Raises:
        ConfigError: if the bound is not a positive number.
    """
    folder = os.environ.get("MASHNET_CACHE") or Path.home() / ".cache" / "mashnet"
    given = os.environ.get("MASHNET_CACHE_GB") or _DEFAULT_GB
    try:
        gigabytes = float(given)
    except ValueError:
        gigabytes = 0.0
    if not gigabytes > 0:
        raise ConfigError(f"MASHNET_CACHE_GB={given} is not allowed: expected gigabytes above 0")
    return LocalCopies(Path(folder).expanduser() / "copies", round(gigabytes * 1e9))


def _mapped(path: Path) -> np.ndarray:
    require_regular(path)
    return np.load(path, mmap_mode="r", allow_pickle=False)


class LocalCopies:
    """A folder of copies; the ones that were used least recently make room for new ones.

    The bound holds for the files in the folder, those that are just arriving included. A copy that
    a reader has mapped when it is removed stays readable for it (POSIX) and keeps its room on the
    disk until the reader lets go of it.
    """

    def __init__(self, folder: Path, most_bytes: int) -> None:
        """Name the folder and its bound; nothing is made yet."""
        self.folder = folder
        self.most_bytes = most_bytes

    def load(self, remote: StorePath, read: Callable[[Path], Read]) -> Read:
        """Return what `read` makes of a local copy of a file, which is fetched if it is not here.

        Args:
            remote: a file that is named by its content.
            read: opens the copy; it must not keep the path, which may be gone a moment later.

        Raises:
            FileNotFoundError: if the store has no such file.
            ConfigError: if the file alone is bigger than the bound.
            StorageError: if the store fails.
        """
        copy = self._path(remote)
        if copy.exists():
            try:
                value = read(copy)
            except FileNotFoundError:
                pass  # another process has just removed it
            except (ValueError, EOFError, RuntimeError):  # numpy's words, and FAISS's
                copy.unlink(missing_ok=True)  # a damaged disk; once more from the store
            else:
                with contextlib.suppress(FileNotFoundError):
                    os.utime(copy)  # it was used now
                return value
        return self._fetched(remote, copy, read)

    def bytes_held(self) -> int:
        """Return how much lies in the folder, in bytes."""
        return sum(size for _, size, _ in self._files())

    def _path(self, remote: StorePath) -> Path:
        key = hashlib.blake2b(str(remote).encode(), digest_size=16).hexdigest()
        return self.folder / key[:2] / f"{key}{remote.suffix[:_LONGEST_SUFFIX]}"

    def _fetched(self, remote: StorePath, copy: Path, read: Callable[[Path], Read]) -> Read:
        # Most files are small: one request tells their size and brings them.
        start = remote.read_range(0, _IN_ONE_REQUEST)
        size = len(start) if len(start) < _IN_ONE_REQUEST else remote.stat().st_size
        arriving, being_written = self._reserve(remote, copy, size)
        with being_written:
            try:
                if size == len(start):
                    arriving.write_bytes(start)
                else:
                    remote.download(arriving)
                # Read before it is shown to others: they might remove it before it is opened.
                value = read(arriving)
                os.replace(arriving, copy)
                return value
            finally:
                arriving.unlink(missing_ok=True)

    def _reserve(
        self, remote: StorePath, copy: Path, size: int
    ) -> tuple[Path, AbstractContextManager[object]]:
        """Return an empty file for a copy, and its lock, when there is room: it is counted then."""
        if size > self.most_bytes:
            raise ConfigError(
                f"{remote} has {size / 1e9:.3g} GB, more than the cache of {self.folder} may hold "
                f"({self.most_bytes / 1e9:.3g} GB). Set MASHNET_CACHE_GB higher"
            )
        copy.parent.mkdir(parents=True, exist_ok=True)
        while True:
            with self._locked() as held:
                total = held.read()
                if total is None or total + size > self.most_bytes:
                    total = self._make_room(size)
                if total + size <= self.most_bytes:
                    held.write(total + size)  # first: a kill between the two counts too much
                    return self._arriving(copy, size)
                held.write(total)
            time.sleep(_WAIT_S)  # all of the room is taken by what is just arriving

    @staticmethod
    def _arriving(copy: Path, size: int) -> tuple[Path, AbstractContextManager[object]]:
        """Make the file that a copy arrives in, locked; its name says how big it will be."""
        handle, name = tempfile.mkstemp(
            prefix=f"{size}-", suffix=TEMPORARY_SUFFIX + copy.suffix, dir=copy.parent
        )
        return Path(name), writing(handle)

    def _make_room(self, size: int) -> int:
        """Remove what was used least recently until `size` fits; return the bytes that remain."""
        files = sorted(
            self._files(), key=lambda file: (TEMPORARY_SUFFIX not in file[2].name, file[0])
        )
        total = sum(bytes_ for _, bytes_, _ in files)
        wanted = min(self.most_bytes - size, int((1 - _MADE_FREE) * self.most_bytes))
        for _, bytes_, path in files:
            if TEMPORARY_SUFFIX in path.name:
                gone = remove_if_left(path)
            else:
                gone = total > wanted
                if gone:
                    path.unlink(missing_ok=True)
            total -= gone * bytes_
        return total

    def _files(self) -> Iterator[tuple[float, int, Path]]:
        for path in self.folder.glob("??/*"):
            with contextlib.suppress(FileNotFoundError):  # another process removed it
                found, size = path.stat(), 0
                if TEMPORARY_SUFFIX in path.name:
                    size = int(path.name.split("-")[0])
                yield found.st_mtime, max(size, found.st_size), path

    @contextlib.contextmanager
    def _locked(self) -> Iterator[_Count]:
        from filelock import FileLock  # local databases need no lock

        self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self.folder / "lock"):
            yield _Count(self.folder / "bytes")


class _Count:
    """How many bytes the folder holds at most, kept in a file so that not every miss counts."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> int | None:
        try:
            return int(self._path.read_text())
        except (OSError, ValueError):
            return None

    def write(self, total: int) -> None:
        self._path.write_text(str(total))
