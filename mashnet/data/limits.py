"""Bounds on the size of a database's tables, so that a stranger's cannot fill the memory."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import IO

import polars as pl

from mashnet.errors import DatabaseError

MOST_MANIFEST_BYTES = 10_000_000
# Values of a column per byte of a table's file. Ids are hashes, which nothing packs into a byte;
# beats that are equally far apart take a bit each. Runs of one value take nothing: a bomb.
_VALUES_PER_BYTE = 16
_ALWAYS_ALLOWED = 4_000_000  # values of a column
_MOST_FOOTER = 16_000_000  # bytes; a table of a million rows has some 100 kB
_UNPACKED_PER_BYTE = 50  # of all columns together; sound's own tables have 2 to 10
_ALWAYS_UNPACKED = 100_000_000  # bytes
_LONGEST_TEXT = 20_000  # bytes of one value
_TEXT_PER_ROW = 300  # bytes of a column, in the mean
_ALWAYS_TEXT = 50_000_000  # bytes of a column
_WORDS = "title artist source license label section reason".split()  # shown, not looked up
_CONTROLS = r"[\x00-\x08\x0b-\x1f\x7f\u0080-\u009f]"


def require_bounded_table(path: Path, file: IO[bytes], columns: Collection[str]) -> None:
    """Look at the footer of a Parquet file, before its columns are unpacked.

    Args:
        path: for messages.
        file: open at its beginning, where it is left.
        columns: that will be read; others may be as they like.

    Raises:
        OSError: if it cannot be read, or is no Parquet file.
        DatabaseError: if a few bytes of it would fill the memory.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 8))
    if int.from_bytes(file.read(4), "little") > _MOST_FOOTER:
        raise DatabaseError(
            f"{path} cannot be read: it is damaged, its footer has more than {_MOST_FOOTER} bytes"
        )
    file.seek(0)
    try:
        footer = pq.read_metadata(file)
        values, unpacked = Counter({"rows": footer.num_rows}), 0
        for number in range(footer.num_row_groups):
            group = footer.row_group(number)
            for column in range(footer.num_columns):
                found = group.column(column)
                name = found.path_in_schema.split(".", 1)[0]
                if name in columns:
                    values[name] += found.num_values
                    unpacked += found.total_uncompressed_size  # dictionaries count, too
    except (pa.ArrowException, ValueError) as error:
        raise OSError(" ".join(str(error).split())) from error
    file.seek(0)
    most = max(values.values())
    if most > max(_ALWAYS_ALLOWED, _VALUES_PER_BYTE * size):
        raise DatabaseError(
            f"{path} is damaged: it holds {most} values of a column in {size} bytes"
        )
    if unpacked > max(_ALWAYS_UNPACKED, _UNPACKED_PER_BYTE * size):
        raise DatabaseError(f"{path} is damaged: {size} bytes of it unpack to {unpacked}")


def require_short_texts(frame: pl.DataFrame, path: Path) -> None:
    """Raise a DatabaseError if texts of a table are as long as books, or all of them together.

    One text that many rows share takes its room once here, and once for each row where it is used.
    """
    for name in frame.columns:
        if frame[name].dtype != pl.String:
            continue
        lengths = frame[name].str.len_bytes()
        longest, all_of_it = int(lengths.max() or 0), int(lengths.sum() or 0)  # type: ignore
        if longest > _LONGEST_TEXT:
            raise DatabaseError(f"{path} is damaged: a text of {name} has {longest} bytes")
        if all_of_it > max(_ALWAYS_TEXT, _TEXT_PER_ROW * len(frame)):
            raise DatabaseError(f"{path} is damaged: the texts of {name} have {all_of_it} bytes")


def shown_as_text(frame: pl.DataFrame) -> pl.DataFrame:
    """Return a table whose words for people hold no controls, which a terminal would obey."""
    words = [n for n in frame.columns if n in _WORDS and frame[n].dtype == pl.String]
    if not any(frame[name].str.contains(_CONTROLS).any() for name in words):
        return frame
    return frame.with_columns(pl.col(name).str.replace_all(_CONTROLS, "\ufffd") for name in words)
