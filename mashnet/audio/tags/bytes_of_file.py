"""A stranger's file, read by place and length within bounds."""

from __future__ import annotations

from typing import BinaryIO

MOST_BYTES = 1_000_000  # of any one thing that is looked for: a tag, a header, a list of names


class Malformed(Exception):
    """A file says something of itself that cannot be."""


def read_at(file: BinaryIO, place: int, count: int) -> bytes:
    """Return `count` bytes; raises Malformed if they are too many, or not all there."""
    if not 0 <= count <= MOST_BYTES:
        raise Malformed(f"{count} bytes are too many")
    file.seek(place)
    content = file.read(count)
    if len(content) < count:
        raise Malformed("it ends early")
    return content
