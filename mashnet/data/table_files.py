"""A table of a MashupDB as a file: Parquet, read by column and written in one step."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import polars as pl

from mashnet.data.limits import require_bounded_table, require_short_texts, shown_as_text
from mashnet.data.schemas import LATER_COLUMNS, SCHEMAS
from mashnet.data.table_values import checked
from mashnet.errors import DatabaseError, MashnetError
from mashnet.files import written_atomically
from mashnet.storage.paths import is_local
from mashnet.storage.regular_files import opened


def read_table(root: Path, name: str) -> pl.DataFrame:
    """Return a table with exactly the columns of `SCHEMAS[name]`; empty if there is no file.

    Args:
        root: the database's.
        name: of the table.

    Raises:
        DatabaseError: if the file is damaged, a column is missing or of another type, or a value
            is none that can be used (see `mashnet.data.table_values`).
    """
    path = root / f"{name}.parquet"
    schema = SCHEMAS[name]
    if not path.is_file():
        return pl.DataFrame(schema=schema)
    try:
        later = LATER_COLUMNS.get(name, ())
        frame = _typed(_read_columns(path, schema, later), name)
        require_short_texts(frame, path)
        return shown_as_text(checked(frame, name, path))
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = " ".join(str(error).split())[:300]
        raise DatabaseError(f"{path} cannot be read as the table {name}: {reason}") from error


def write_table(root: Path, name: str, rows: pl.DataFrame | list[dict[str, Any]]) -> pl.DataFrame:
    """Replace a table's file, and return the table as it was written.

    Args:
        root: the database's.
        name: of the table.
        rows: are put into the columns and types of `SCHEMAS[name]`.

    Raises:
        DatabaseError: if a value is none that `read_table` would read.
        MashnetError: if polars cannot write it.
        OSError: if the disk is full or must not be written to.
    """
    schema = SCHEMAS[name]
    frame = (
        _typed(rows, name) if isinstance(rows, pl.DataFrame) else pl.DataFrame(rows, schema=schema)
    )
    path = root / f"{name}.parquet"
    frame = checked(frame, name, path)
    try:
        with written_atomically(path) as temporary:
            frame.write_parquet(temporary)
    except pl.exceptions.PolarsError as error:  # how polars reports a disk that fails
        reason = " ".join(str(error).split())
        raise MashnetError(f"{root}: its tables cannot be written: {reason}") from error
    return frame


def _typed(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    """Put a frame into a table's columns and types; those that came later may be missing."""
    absent = [column for column in LATER_COLUMNS.get(name, ()) if column not in frame.columns]
    return frame.with_columns(pl.lit(None).alias(column) for column in absent).select(
        pl.col(column).cast(dtype) for column, dtype in SCHEMAS[name].items()
    )


def _read_columns(path: Path, columns: Iterable[str], later: Collection[str]) -> pl.DataFrame:
    """Read the wanted columns of a table; of one in a store by range, after the footer.

    Args:
        path: of the file.
        columns: that are wanted.
        later: those of them that may be missing.
    """
    wanted = list(columns)
    if is_local(path):
        # Opened once: a path that is opened again may be another stage's new table by then, whose
        # pages are not where the old footer says.
        with opened(path) as file:
            require_bounded_table(path, file, wanted)
            try:
                if later:
                    there = pl.read_parquet_schema(file)
                    wanted = [column for column in wanted if column in there or column not in later]
                    file.seek(0)
                return pl.read_parquet(file, columns=wanted)
            except pl.exceptions.PanicException as error:  # what polars did not foresee
                raise OSError(f"it is damaged: {error}") from error
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with path.open("rb") as file:
            require_bounded_table(path, file, wanted)
            if later:
                there = pq.read_schema(file).names
                wanted = [column for column in wanted if column in there or column not in later]
                file.seek(0)
            table = pq.read_table(file, columns=wanted, use_threads=False)
    except pa.ArrowException as error:
        raise OSError(" ".join(str(error).split())) from error
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame
