"""ID3v2 tags (2.2, 2.3, 2.4), as MP3, AIFF and WAV files have them."""

from __future__ import annotations

import struct
from typing import BinaryIO

from mashnet.audio.tags.bytes_of_file import MOST_BYTES, Malformed, read_at

_NAMES = {b"TIT2": "title", b"TPE1": "artist", b"TBPM": "bpm", b"TKEY": "key"} | {
    b"TT2": "title",
    b"TP1": "artist",
    b"TBP": "bpm",
    b"TKE": "key",
}
_FREE = {"initialkey": "key", "bpm": "bpm", "license": "license"}
_CODES = {0: "latin-1", 1: "utf-16", 2: "utf-16-be", 3: "utf-8"}
_MOST_CHUNKS = 1000


def id3_tags(file: BinaryIO) -> dict[str, str]:
    """Return title, artist, license, bpm and key; raises Malformed if there is no such tag."""
    head = read_at(file, 0, 12)
    begin = 0
    if head[:4] in (b"RIFF", b"FORM"):
        begin = _chunk(file, "<I" if head[:4] == b"RIFF" else ">I")
        head = read_at(file, begin, 10)
    if head[:3] != b"ID3":
        raise Malformed("no ID3 tag")
    version, flags, length = head[3], head[5], _sync_safe(head[6:10])
    # Pictures make a tag long; what is looked for mostly comes first.
    there = file.seek(0, 2) - begin - 10
    body = read_at(file, begin + 10, min(length, there, MOST_BYTES))
    if version < 4 and flags & 0x80:
        body = body.replace(b"\xff\x00", b"\xff")  # unsynchronised as a whole
    at = 0
    if version > 2 and flags & 0x40 and len(body) >= 4:  # an extended head
        at = _sync_safe(body[:4]) if version == 4 else 4 + struct.unpack(">I", body[:4])[0]
    return _frames(body, at, version)


def _frames(body: bytes, at: int, version: int) -> dict[str, str]:
    tags: dict[str, str] = {}
    width = 3 if version == 2 else 4
    while at + 2 * width <= len(body) and body[at : at + 1].isalnum():
        name, size_bytes = body[at : at + width], body[at + width : at + 2 * width]
        size = _sync_safe(size_bytes) if version == 4 else int.from_bytes(size_bytes, "big")
        at += 6 if version == 2 else 10
        content = body[at : at + size]
        at += size
        if name in (b"TXXX", b"TXX"):
            label, _, value = _text(content).partition("\0")
            tag = _FREE.get(label.strip().lower())
        else:
            tag, value = _NAMES.get(name), _text(content).partition("\0")[0]
        if tag and value.strip():
            tags.setdefault(tag, value.strip())
    return tags


def _text(content: bytes) -> str:
    """Return a frame's text; several values stay apart by a zero."""
    code = _CODES.get(content[0]) if content else None
    if code is None:
        return ""
    text = content[1:].decode(code, "replace").replace("\ufeff", "")
    return text.rstrip("\0")


def _sync_safe(four: bytes) -> int:
    value = 0
    for byte in four:
        value = value << 7 | byte & 0x7F
    return value


def _chunk(file: BinaryIO, integer: str) -> int:
    """Return where the chunk "id3 " of a WAV or AIFF file begins."""
    end, at = file.seek(0, 2), 12
    for _ in range(_MOST_CHUNKS):
        if at + 8 > end:
            break
        head = read_at(file, at, 8)
        if head[:4].lower() == b"id3 ":
            return at + 8
        size = struct.unpack(integer, head[4:])[0]
        at += 8 + size + size % 2
    raise Malformed("no ID3 tag")
