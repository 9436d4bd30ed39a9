"""A path in a store that fsspec reaches, with the methods of `pathlib.Path` that mashnet uses.

Why not universal-pathlib's UPath: its `is_file()` is fsspec's, which answers a network that is
down with False, so that work would be taken as not done; and it hands one client to all the paths
made of it, which a forked process (a DataLoader worker) must not use.
"""

from __future__ import annotations

import contextlib
import errno
import io
import posixpath
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import Any, cast

from mashnet.errors import ConfigError, StorageError
from mashnet.extras import advice
from mashnet.storage.ranges import RANGE_BYTES, RangeReader
from mashnet.storage.store_url import StoreURL


class StorePath(StoreURL):
    """A file or folder in a store; used like a `pathlib.Path`.

    It holds nothing but its name: it may be pickled, and used after a fork and by threads. Whatever
    goes wrong with the store, other than that a file is not there, is a StorageError.
    Writing goes through `mashnet.files.written_atomically`, never through `open`.
    """

    __slots__ = ()

    def __init__(self, url: str) -> None:
        """Take a URL, for instance s3://bucket/folder.

        Raises:
            ConfigError: if its scheme is unknown or the package for it is not installed.
        """
        super().__init__(url)
        _require_installed(self.scheme, url)

    # What is there

    def located(self) -> tuple[Any, str]:
        """Return the fsspec file system, this process's own, and this path as it takes it."""
        from fsspec.core import url_to_fs

        if "\0" in str(self._path):
            raise self._no_such_name()
        with self.errors():
            filesystem, inner = url_to_fs(str(self))
        # A listing that is remembered would hide what other processes write.
        listings: Any = getattr(filesystem, "dircache", None)
        if getattr(listings, "use_listings_cache", False):
            listings.use_listings_cache = False
        return filesystem, inner

    @contextlib.contextmanager
    def errors(self) -> Iterator[None]:
        """Turn what a store's client raises into one line that names the URL.

        Raises:
            FileNotFoundError: for a name that the store cannot have, however well it is.
            StorageError: for everything but a file that is not there, which stays as it is.
        """
        try:
            yield
        except (FileNotFoundError, IsADirectoryError, StorageError):
            raise
        except PermissionError as error:
            raise StorageError(
                f"{self}: the store refuses ({_one_line(error)}). Check the credentials and the "
                "rights of the account; then the same command goes on"
            ) from error
        except Exception as error:
            if isinstance(error, TypeError | AttributeError | AssertionError):
                raise  # a fault of the program, not of the store
            if getattr(error, "errno", None) == errno.ENAMETOOLONG or "KeyTooLong" in str(error):
                raise self._no_such_name() from error
            raise StorageError(
                f"{self}: the store cannot be used ({_one_line(error)}). When it can be reached, "
                "the same command goes on"
            ) from error

    def _no_such_name(self) -> FileNotFoundError:
        shown = repr(str(self)[:200])
        return FileNotFoundError(errno.ENOENT, "the store can have no file of this name", shown)

    def _info(self) -> dict[str, Any] | None:
        try:
            filesystem, inner = self.located()
            with self.errors():
                try:
                    return filesystem.info(inner)
                except NotADirectoryError:
                    return None
        except FileNotFoundError:
            return None

    def exists(self) -> bool:
        """As in pathlib, but a store that does not answer is an error."""
        return self._info() is not None

    def is_file(self) -> bool:
        """As in pathlib, but a store that does not answer is an error."""
        found = self._info()
        return found is not None and found["type"] == "file"

    def is_dir(self) -> bool:
        """As in pathlib; in an object store a folder is there if something lies in it."""
        found = self._info()
        return found is not None and found["type"] == "directory"

    def is_symlink(self) -> bool:
        """Return False: links are not followed in stores."""
        return False

    def stat(self) -> SimpleNamespace:
        """Return `st_size` in bytes.

        Raises:
            FileNotFoundError: if there is no such file.
        """
        found = self._info()
        if found is None:
            raise FileNotFoundError(2, "No such file", str(self))
        return SimpleNamespace(st_size=int(found.get("size") or 0))

    def iterdir(self) -> Iterator[StorePath]:
        """As in pathlib.

        Raises:
            FileNotFoundError: if there is no such folder.
        """
        filesystem, inner = self.located()
        with self.errors():
            names = filesystem.ls(inner, detail=False)
        for name in names:
            found = self / posixpath.basename(name.rstrip("/"))
            if found != self:
                yield found

    def file_sizes(self) -> dict[str, int]:
        """Return the bytes of each file under this folder, by its path from here."""
        filesystem, inner = self.located()
        with self.errors():
            try:
                found = filesystem.find(inner, detail=True)
            except FileNotFoundError:
                return {}
        base = inner.rstrip("/") + "/"
        return {
            name[len(base) :]: int(info.get("size") or 0)
            for name, info in sorted(found.items())
            if name.startswith(base)
        }

    def rglob(self, pattern: str) -> Iterator[StorePath]:
        """Yield the files (not the folders) below whose name matches."""
        for name in self.file_sizes():
            if fnmatchcase(posixpath.basename(name), pattern):
                yield self / name

    def glob(self, pattern: str) -> Iterator[StorePath]:
        """Yield the files whose path from here matches, part by part; ** is not known."""
        if "**" in pattern:
            raise ValueError("** is not known here; use rglob")
        wanted = PurePosixPath(pattern).parts
        for name in self.file_sizes():
            parts = PurePosixPath(name).parts
            if len(parts) == len(wanted) and all(map(fnmatchcase, parts, wanted)):
                yield self / name

    # What is in it

    def open(self, mode: str = "r", encoding: str | None = None, newline: str | None = None) -> Any:
        """Open for reading, by range.

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: if asked to write.
        """
        if mode == "rb":
            return io.BufferedReader(cast(io.RawIOBase, RangeReader(self)), RANGE_BYTES)
        if mode in ("r", "rt"):
            return io.TextIOWrapper(io.BytesIO(self.read_bytes()), encoding, newline=newline)
        raise ValueError(f"{self}: files of a store are written through written_atomically")

    def read_bytes(self) -> bytes:
        """Return the whole file, in one request."""
        return self.read_range(None, None)

    def read_range(self, start: int | None, end: int | None) -> bytes:
        """Return the bytes from `start` up to `end` (or the file's end), in one request."""
        filesystem, inner = self.located()
        with self.errors():
            return filesystem.cat_file(inner, start=start, end=end)

    def read_text(self, encoding: str = "utf-8") -> str:
        """As in pathlib."""
        return self.read_bytes().decode(encoding)

    def download(self, target: Path) -> None:
        """Copy the file into a local one, piece by piece."""
        filesystem, inner = self.located()
        with self.errors():
            filesystem.get_file(inner, str(target))

    def mkdir(self, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        """Do nothing: a file's folders are made with it."""

    def unlink(self, missing_ok: bool = False) -> None:
        """As in pathlib."""
        filesystem, inner = self.located()
        with self.errors():
            try:
                filesystem.rm_file(inner)
            except FileNotFoundError:
                if not missing_ok:
                    raise


def _require_installed(scheme: str, url: str) -> None:
    """Raise a ConfigError naming the package that a scheme needs, if it is not there."""
    try:
        import fsspec
    except ImportError:
        raise ConfigError(
            f"{url}: stores need fsspec, which is not installed: {advice('storage')}"
        ) from None
    try:
        fsspec.get_filesystem_class(scheme)
    except ImportError as error:
        hint = advice("storage") if scheme in ("s3", "s3a") else _one_line(error)
        raise ConfigError(f"{url}: {scheme}:// needs a package that is missing: {hint}") from None
    except ValueError:
        raise ConfigError(
            f"{url}: {scheme}:// is no store that fsspec knows; s3://, gs:// and az:// are some"
        ) from None


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else text[:299] + "…"
