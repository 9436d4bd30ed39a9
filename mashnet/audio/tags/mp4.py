"""MP4 files: their boxes, within bounds; tags (ilst) and the names of stems (the `stem` box).

A box is its size and its type (four bytes each), then what is in it; boxes lie in boxes. DJs' stem
files (Native Instruments' Stems: five sound streams, the mix and four stems) name the stems in
moov/udta/stem, as JSON: {"stems": [{"name": "Drums", "color": "#FF0000"}, …]}.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from mashnet.audio.tags.bytes_of_file import MOST_BYTES, Malformed, read_at
from mashnet.storage.regular_files import opened

_MOST_BOXES = 10_000  # that are looked at; files in fragments have many
_MOST_NAMES = 31
_LONGEST_NAME = 200
_TEXTS = {b"\xa9nam": "title", b"\xa9ART": "artist", b"cprt": "license"}
_FREE = {"initialkey": "key", "bpm": "bpm", "key": "key", "license": "license"}
_UTF8, _INTEGER = 1, (0, 21)  # what the first word of a `data` box says of its value


def boxes(file: BinaryIO, begin: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield (type, begin, end) of the boxes in a stretch of a file, without the boxes' heads.

    Raises:
        Malformed: if a box is larger than what it lies in, or there are too many.
    """
    for _ in range(_MOST_BOXES):
        if end - begin < 8:
            return
        size, kind = struct.unpack(">I4s", read_at(file, begin, 8))
        head = 8
        if size == 1:
            size, head = struct.unpack(">Q", read_at(file, begin + 8, 8))[0], 16
        elif size == 0:
            size = end - begin  # to the end
        if not head <= size <= end - begin:
            raise Malformed(f"a box of {size} bytes in {end - begin}")
        yield kind, begin + head, begin + size
        begin += size
    raise Malformed(f"more than {_MOST_BOXES} boxes beside each other")


def inside(file: BinaryIO, path: Sequence[bytes]) -> list[tuple[int, int]]:
    """Return (begin, end) of all boxes at a path of types, from the outermost in.

    As deep as the path is long, and no deeper, whatever the file nests.
    """
    found = [(0, file.seek(0, 2))]
    passed = 0
    for wanted in path:
        outer, found = found, []
        for place in outer:
            for kind, begin, end in boxes(file, *place):
                passed += 1
                if passed > _MOST_BOXES:
                    raise Malformed(f"more than {_MOST_BOXES} boxes")
                if kind == wanted:
                    found.append((begin, end))
    return found


def sound_streams(path: Path) -> int | None:
    """Return how many sound streams a file has; None if it is no MP4."""
    try:
        with opened(path) as file:
            if read_at(file, 0, 8)[4:] != b"ftyp":
                return None
            handlers = inside(file, (b"moov", b"trak", b"mdia", b"hdlr"))
            return sum(read_at(file, begin + 8, 4) == b"soun" for begin, _ in handlers)
    except (OSError, Malformed):
        return None


def stem_names(path: Path) -> list[str]:
    """Return what a DJs' stem file calls its stems; empty where it does not say."""
    try:
        with opened(path) as file:
            for begin, end in inside(file, (b"moov", b"udta", b"stem")):
                return _names(json.loads(read_at(file, begin, end - begin).decode("utf-8-sig")))
    except (OSError, ValueError, RecursionError, Malformed):
        pass  # damaged: it names nothing
    return []


def _names(value: Any) -> list[str]:
    stems = value.get("stems") if isinstance(value, dict) else None
    if not isinstance(stems, list) or len(stems) > _MOST_NAMES:
        return []
    names = [stem.get("name") if isinstance(stem, dict) else None for stem in stems]
    return [name.strip()[:_LONGEST_NAME] if isinstance(name, str) else "" for name in names]


def mp4_tags(file: BinaryIO) -> dict[str, str]:
    """Return title, artist, license, bpm and key of an MP4 file; what it lacks is absent.

    Raises:
        Malformed: if it is not one.
    """
    tags: dict[str, str] = {}
    for begin, end in inside(file, (b"moov", b"udta", b"meta")):
        # `meta` has four bytes of flags before its boxes; QuickTime leaves them out.
        skip = 0 if read_at(file, begin + 4, 4) == b"hdlr" else 4
        for kind, first, last in boxes(file, begin + skip, end):
            if kind == b"ilst":
                for entry, inner, outer in boxes(file, first, last):
                    name, value = _entry(file, entry, inner, outer)
                    if name and value:
                        tags.setdefault(name, value)
    return tags


def _entry(file: BinaryIO, kind: bytes, begin: int, end: int) -> tuple[str, str]:
    """Return one tag: its name here and its value; empty for those that are not looked for."""
    name = _TEXTS.get(kind, "bpm" if kind == b"tmpo" else "")
    if not name and kind != b"----":
        return "", ""
    value = ""
    for inner, first, last in boxes(file, begin, end):
        if last - first > MOST_BYTES:
            return "", ""
        content = read_at(file, first, last - first)
        if inner == b"name":
            name = _FREE.get(content[4:].decode("utf-8", "replace").strip().lower(), "")
        elif inner == b"data" and len(content) >= 8:
            code = struct.unpack(">I", content[:4])[0]
            if code == _UTF8:
                value = content[8:].decode("utf-8", "replace").strip("\0 ")
            elif code in _INTEGER and len(content) <= 16:
                number = int.from_bytes(content[8:], "big")
                value = str(number) if number else ""  # 0: not known
    return name, value
