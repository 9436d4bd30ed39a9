"""The tables of a MashupDB and its manifest, read on first use and changed by one at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path, PurePath
from typing import Any

import polars as pl

from mashnet.data import table_files
from mashnet.data.limits import MOST_MANIFEST_BYTES
from mashnet.data.schemas import SCHEMA_VERSION
from mashnet.errors import DatabaseError
from mashnet.files import write_json
from mashnet.storage.contained_paths import place
from mashnet.storage.folder_lock import one_at_a_time
from mashnet.storage.paths import root_of
from mashnet.storage.regular_files import read_json

_READ_FIRST = {"clips", "stems"}  # what a stage computes from: the rows that it writes are of these


class Tables:
    """The tables and the manifest of one database, a folder of this machine or one in a store.

    They are kept once read; `write_table` replaces a table on disk and in memory.
    """

    def __init__(self, root: str | Path) -> None:
        """Name the folder or its URL; nothing is read or created yet.

        Raises:
            ConfigError: if it is a URL of a kind that cannot be used here.
        """
        self.root = root_of(root)
        self._tables: dict[str, pl.DataFrame] = {}
        self._changing = 0  # how many blocks of `changing` are open

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """The manifest: schema version, pipeline configs, counts, tool versions."""
        path = self.root / "manifest.json"
        try:
            value = read_json(path, MOST_MANIFEST_BYTES)
        except (OSError, ValueError) as error:
            raise DatabaseError(f"{path} cannot be read: {error}") from error
        if not isinstance(value, dict):
            raise DatabaseError(f"{path} does not hold a JSON object")
        return value

    def entry(self, name: str) -> dict[str, Any] | None:
        """Return what a stage wrote into the manifest under its name; None if there is nothing.

        Raises:
            DatabaseError: if the manifest cannot be read, or the entry is no object.
        """
        found = self.manifest.get(name)
        if found is not None and not isinstance(found, dict):
            kind = type(found).__name__
            raise DatabaseError(
                f"{self.root / 'manifest.json'}: its entry '{name}' is damaged, expected an object "
                f"and got {kind}. Run the stage that writes it again"
            )
        return found

    def update_manifest(self, **entries: Any) -> None:
        """Merge entries into manifest.json (created if absent), keeping what others wrote.

        Raises:
            DatabaseError: as `changing`, or if the manifest cannot be read.
            OSError: if the disk is full or must not be written to.
        """
        path = self.root / "manifest.json"
        with self.changing():
            current = self.manifest if path.is_file() else {}
            merged = {**current, "schema_version": SCHEMA_VERSION, **entries}
            write_json(path, merged)
            self.__dict__["manifest"] = merged

    @contextlib.contextmanager
    def changing(self) -> Iterator[None]:
        """Change tables or the manifest by what they hold: nobody else does so in this block.

        When it begins they are as they are on the disk now: whatever another stage wrote since
        they were read is seen, and kept.

        Raises:
            DatabaseError: if the clips or stems are others than those that were read, or another
                program has been changing the database for ten minutes.
        """
        with contextlib.ExitStack() as stack:
            if not self._changing:
                stack.enter_context(one_at_a_time(self.root))
                self._read_anew()
            self._changing += 1
            try:
                yield
            finally:
                self._changing -= 1

    def _read_anew(self) -> None:
        """Forget what was read, except what must not have changed meanwhile."""
        before, self._tables = self._tables, {}
        self.__dict__.pop("manifest", None)
        for name in _READ_FIRST & before.keys():
            if not self.table(name).equals(before[name]):
                raise DatabaseError(
                    f"{self.root} was built anew while this ran; run the same command again"
                )
            self._tables[name] = before[name]

    def table(self, name: str) -> pl.DataFrame:
        """Return a table with exactly the columns of `SCHEMAS[name]`; empty if not yet written.

        Raises:
            DatabaseError: if the file is damaged, a column is missing or of another type, or a
                value is none that can be used (see `mashnet.data.table_values`).
        """
        if name not in self._tables:
            self._tables[name] = table_files.read_table(self.root, name)
        return self._tables[name]

    def write_table(self, name: str, rows: pl.DataFrame | list[dict[str, Any]]) -> pl.DataFrame:
        """Replace a table, atomically; rows are put into the schema's columns and types.

        Raises:
            DatabaseError: if a value is none that `table` would read.
            MashnetError: if polars cannot write it.
            OSError: if the disk is full or must not be written to.
        """
        frame = table_files.write_table(self.root, name, rows)
        self._tables[name] = frame
        return frame

    def place(self, *names: str | PurePath) -> Path:
        """Return where a file of the database is written or deleted; see `contained_paths.place`.

        Raises:
            DatabaseError: if a name is none, or there is a symbolic link on the way.
        """
        return place(self.root, *names)

    @property
    def clips(self) -> pl.DataFrame:
        """One row per clip."""
        return self.table("clips")

    @property
    def stems(self) -> pl.DataFrame:
        """One row per stem of a clip."""
        return self.table("stems")

    @property
    def sections(self) -> pl.DataFrame:
        """One row per section of a clip; empty before data_pipelines.structure has run."""
        return self.table("sections")

    @property
    def mixes(self) -> pl.DataFrame:
        """One recipe per row."""
        return self.table("mixes")

    @property
    def loops(self) -> pl.DataFrame:
        """One row per loop."""
        return self.table("loops")

    @property
    def pairs(self) -> pl.DataFrame:
        """One row per pair of loops, with its label."""
        return self.table("pairs")

    @property
    def rejects(self) -> pl.DataFrame:
        """One row per input that could not be used, with the stage and the reason."""
        return self.table("rejects")
