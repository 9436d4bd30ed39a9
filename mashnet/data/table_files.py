"""A table of a MashupDB as a file: Parquet, read by column and written in one step."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import IO, Any

import polars as pl

from mashnet.data.limits import require_bounded_table, require_short_texts, shown_as_text
from mashnet.data.schemas import ADDED, SCHEMAS
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
        frame = _with_added(_read_columns(path, schema, ADDED.get(name, {})), name).select(
            pl.col(column).cast(dtype) for column, dtype in schema.items()
        )
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
        _with_added(rows, name).select(
            pl.col(column).cast(dtype) for column, dtype in schema.items()
        )
        if isinstance(rows, pl.DataFrame)
        else _with_added(pl.DataFrame(rows, schema=schema), name)
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


def _with_added(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    """Fill columns that the table of an earlier version does not have, or not in all rows."""
    added = ADDED.get(name, {})
    lacking = [pl.lit(value).alias(key) for key, value in added.items() if key not in frame.columns]
    return frame.with_columns(lacking).with_columns(
        pl.col(key).fill_null(value) for key, value in added.items() if value is not None
    )


def _read_columns(
    path: Path, columns: Iterable[str], if_there: Collection[str] = ()
) -> pl.DataFrame:
    """Read the wanted columns of a table; of one in a store by range, after the footer."""
    wanted = list(columns)
    if is_local(path):
        # Opened once: a path that is opened again may be another stage's new table by then, whose
        # pages are not where the old footer says.
        with opened(path) as file:
            require_bounded_table(path, file, wanted)
            wanted = _there(file, wanted, if_there)
            try:
                return pl.read_parquet(file, columns=wanted)
            except pl.exceptions.PanicException as error:  # what polars did not foresee
                raise OSError(f"it is damaged: {error}") from error
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with path.open("rb") as file:
            require_bounded_table(path, file, wanted)
            wanted = _there(file, wanted, if_there)
            table = pq.read_table(file, columns=wanted, use_threads=False)
    except pa.ArrowException as error:
        raise OSError(" ".join(str(error).split())) from error
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame


def _there(file: IO[bytes], wanted: list[str], if_there: Collection[str]) -> list[str]:
    """Return the wanted columns without those that may be absent and are."""
    if not if_there:
        return wanted
    import pyarrow.parquet as pq

    names = pq.read_schema(file).names
    file.seek(0)
    return [name for name in wanted if name in names or name not in if_there]
