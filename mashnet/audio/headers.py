"""What the header of a WAV or AIFF file promises, against the bytes that are there.

libsndfile reads the samples of a file that was cut short as if they were all; only the header tells
that they are not.
"""

from __future__ import annotations

import os
import struct
from typing import IO, Any

from mashnet.storage.regular_files import looked_into

_MOST_CHUNKS = 1000
# What programs write that do not know the length yet, for instance into a pipe.
_UNKNOWN = range(0x7FFF0000, 0x80000001)
# How an integer is written, which chunk holds the samples, and how far into it they begin.
_KINDS = {
    b"RIFFWAVE": ("<I", b"data", 0),
    b"RIFXWAVE": (">I", b"data", 0),
    b"FORMAIFF": (">I", b"SSND", 8),
    b"FORMAIFC": (">I", b"SSND", 8),
}


def announced_per_byte(source: bytes | IO[bytes]) -> float | None:
    """Return announced bytes of samples per byte that is there; None if it does not say.

    Args:
        source: name of a file, or a file object, whose position is left where it was.
    """
    return looked_into(source, _ratio)


def _ratio(file: Any) -> float | None:
    head = file.read(12)
    kind = _KINDS.get(head[:4] + head[8:12])
    if kind is None:
        return None
    integer, wanted, before_data = kind
    for _ in range(_MOST_CHUNKS):
        chunk = file.read(8)
        if len(chunk) < 8:
            return None
        size = struct.unpack(integer, chunk[4:])[0]
        if chunk[:4] == wanted:
            begin = file.tell() + before_data
            there = file.seek(0, os.SEEK_END) - begin
            unknown = size in (0, 0xFFFFFFFF) or size in _UNKNOWN
            return None if unknown or there <= 0 else (size - before_data) / there
        file.seek(size + size % 2, os.SEEK_CUR)
    return None
