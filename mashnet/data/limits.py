"""What a stranger's database may ask for: bounds on its tables."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO

import polars as pl

from mashnet.errors import DatabaseError

MOST_MANIFEST_BYTES = 10_000_000
# Values of a column per byte of a table's file. Ids are hashes, which nothing packs into a byte;
# beats that are equally far apart take a bit each. Runs of one value take nothing: a bomb.
_VALUES_PER_BYTE = 16
_ALWAYS_ALLOWED = 4_000_000  # values of a column
_LONGEST_TEXT = 100_000  # bytes of one value


def require_bounded_table(path: Path, file: IO[bytes]) -> None:
    """Look at the footer of a Parquet file, before its columns are unpacked.

    Args:
        path: for messages.
        file: open at its beginning, where it is left.

    Raises:
        OSError: if it cannot be read, or is no Parquet file.
        DatabaseError: if a few bytes of it would fill the memory.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        footer = pq.read_metadata(file)
        values = [footer.num_rows] + [0] * footer.num_columns
        for group in range(footer.num_row_groups):
            for column in range(footer.num_columns):
                values[column + 1] += footer.row_group(group).column(column).num_values
    except (pa.ArrowException, ValueError) as error:
        raise OSError(" ".join(str(error).split())) from error
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    if max(values) > max(_ALWAYS_ALLOWED, _VALUES_PER_BYTE * size):
        raise DatabaseError(
            f"{path} is damaged: it holds {max(values)} values of a column in {size} bytes"
        )


def require_short_texts(frame: pl.DataFrame, path: Path) -> None:
    """Raise a DatabaseError if a text of a table is as long as a book."""
    for name in frame.columns:
        longest = frame[name].str.len_bytes().max() if frame[name].dtype == pl.String else 0
        if isinstance(longest, int) and longest > _LONGEST_TEXT:
            raise DatabaseError(f"{path} is damaged: a text of {name} has {longest} bytes")
