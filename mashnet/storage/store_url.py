"""The name of a file in a store: a URL with the methods of `pathlib.PurePath` that mashnet uses."""

from __future__ import annotations

import functools
import posixpath
from pathlib import Path, PurePosixPath
from typing import Any, Self

from mashnet.errors import ConfigError

# Stores in which an object appears as a whole or not at all.
_OBJECT_STORES = frozenset("s3 s3a gs gcs az abfs abfss adl oci oss hf memory".split())


@functools.total_ordering
class StoreURL:
    """A URL such as s3://bucket/folder, taken apart; it asks no store for anything."""

    __slots__ = ("_path", "_store")

    def __init__(self, url: str) -> None:
        """Take a URL, for instance s3://bucket/folder.

        Raises:
            ConfigError: if it is chained.
        """
        if "::" in url:
            raise ConfigError(f"{url}: chained URLs (::) cannot hold a database; name one store")
        scheme, _, rest = url.partition("://")
        scheme = scheme.lower()
        # The host of sftp://user@host:22/folder is part of the store, a bucket of the path.
        host = ""
        if not self._puts_whole_objects(scheme):
            host, _, rest = rest.partition("/")
            rest = "/" + rest
        self._store = f"{scheme}://{host}"
        self._path = PurePosixPath(posixpath.normpath(rest) if rest else "")

    @staticmethod
    def _puts_whole_objects(scheme: str) -> bool:
        return scheme in _OBJECT_STORES

    def _at(self, path: PurePosixPath) -> Self:
        other = object.__new__(type(self))
        other._store, other._path = self._store, path
        return other

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the name alone."""
        return type(self), (str(self),)

    def __str__(self) -> str:
        """Return the URL."""
        return f"{self._store}{'' if str(self._path) == '.' else self._path}"

    def __repr__(self) -> str:
        """Return the URL as a call."""
        return f"{type(self).__name__}({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        """Compare the URLs."""
        return isinstance(other, StoreURL) and str(self) == str(other)

    def __lt__(self, other: StoreURL) -> bool:
        """Compare the URLs."""
        return str(self) < str(other)

    def __hash__(self) -> int:
        """Hash the URL."""
        return hash(str(self))

    def __truediv__(self, name: str | PurePosixPath | Path) -> Self:
        """As in pathlib."""
        return self._at(self._path / PurePosixPath(name))

    def joinpath(self, *names: str | PurePosixPath | Path) -> Self:
        """As in pathlib."""
        return self._at(self._path.joinpath(*map(PurePosixPath, names)))

    @property
    def name(self) -> str:
        """As in pathlib."""
        return self._path.name

    @property
    def stem(self) -> str:
        """As in pathlib."""
        return self._path.stem

    @property
    def suffix(self) -> str:
        """As in pathlib."""
        return self._path.suffix

    @property
    def parts(self) -> tuple[str, ...]:
        """As in pathlib, without the store."""
        return self._path.parts

    @property
    def parent(self) -> Self:
        """As in pathlib."""
        return self._at(self._path.parent)

    @property
    def parents(self) -> list[Self]:
        """As in pathlib."""
        return [self._at(path) for path in self._path.parents]

    def with_name(self, name: str) -> Self:
        """As in pathlib."""
        return self._at(self._path.with_name(name))

    def with_suffix(self, suffix: str) -> Self:
        """As in pathlib."""
        return self._at(self._path.with_suffix(suffix))

    def as_posix(self) -> str:
        """Return the URL."""
        return str(self)

    def resolve(self, strict: bool = False) -> Self:
        """Return the path without `..`; there are no links to follow."""
        return self._at(PurePosixPath(posixpath.normpath(self._path)))

    absolute = expanduser = resolve

    def relative_to(self, other: StoreURL) -> PurePosixPath:
        """As in pathlib."""
        if self._store != other._store:
            raise ValueError(f"{self} does not lie in {other}")
        return self._path.relative_to(other._path)

    def is_relative_to(self, other: StoreURL) -> bool:
        """As in pathlib."""
        return self._store == other._store and self._path.is_relative_to(other._path)

    @property
    def scheme(self) -> str:
        """The part before ://, in small letters."""
        return self._store.partition("://")[0]

    @property
    def is_object(self) -> bool:
        """Whether the store puts a file as a whole or not at all."""
        return self._puts_whole_objects(self.scheme)
