"""Vorbis comments, as FLAC, Ogg Vorbis and Opus files have them."""

from __future__ import annotations

import struct
from typing import BinaryIO

from mashnet.audio.tags.bytes_of_file import MOST_BYTES, Malformed, read_at

_NAMES = {"title": "title", "artist": "artist", "license": "license", "licence": "license"} | {
    "bpm": "bpm",
    "tempo": "bpm",
    "tbpm": "bpm",
    "initialkey": "key",
    "initial key": "key",
    "key": "key",
    "tkey": "key",
}
_MOST_BLOCKS = 128
_MOST_PAGES = 64
_COMMENTS = 4  # type of a FLAC file's block
_HEADS = (b"\x03vorbis", b"OpusTags")


def vorbis_tags(file: BinaryIO) -> dict[str, str]:
    """Return title, artist, license, bpm and key; raises Malformed if there are no comments."""
    head = read_at(file, 0, 4)
    if head == b"fLaC":
        return _comments(_of_flac(file))
    if head == b"OggS":
        return _comments(_of_ogg(file))
    raise Malformed("neither FLAC nor Ogg")


def _of_flac(file: BinaryIO) -> bytes:
    at = 4
    for _ in range(_MOST_BLOCKS):
        head = read_at(file, at, 4)
        size = int.from_bytes(head[1:], "big")
        if head[0] & 0x7F == _COMMENTS:
            return read_at(file, at + 4, size)
        if head[0] & 0x80:  # the last
            break
        at += 4 + size
    raise Malformed("no comments")


def _of_ogg(file: BinaryIO) -> bytes:
    """Return the second packet of the first stream: the comments."""
    at, packet, packets = 0, b"", 0
    there = file.seek(0, 2)
    for _ in range(_MOST_PAGES):
        head = read_at(file, at, 27)
        if head[:4] != b"OggS":
            break
        sizes = read_at(file, at + 27, head[26])
        at += 27 + len(sizes)
        body = read_at(file, at, min(sum(sizes), there - at))
        at += sum(sizes)
        begin = 0
        for size in sizes:
            packet += body[begin : begin + size]
            begin += size
            if size < 255:
                packets += 1
                if packets == 2:
                    return _without_head(packet)
                packet = b""
        if len(packet) > MOST_BYTES:
            break
    raise Malformed("no comments")


def _without_head(packet: bytes) -> bytes:
    for head in _HEADS:
        if packet.startswith(head):
            return packet[len(head) :]
    raise Malformed("no comments")


def _comments(content: bytes) -> dict[str, str]:
    tags: dict[str, str] = {}
    try:
        at = 4 + struct.unpack_from("<I", content)[0]  # after the name of the program
        count = struct.unpack_from("<I", content, at)[0]
        at += 4
        for _ in range(min(count, len(content) // 4)):
            size = struct.unpack_from("<I", content, at)[0]
            text = content[at + 4 : at + 4 + size].decode("utf-8", "replace")
            at += 4 + size
            label, _, value = text.partition("=")
            tag = _NAMES.get(label.strip().lower())
            if tag and value.strip():
                tags.setdefault(tag, value.strip())
    except struct.error as error:
        raise Malformed(str(error)) from error
    return tags
