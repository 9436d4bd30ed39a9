"""The frames of an MPEG sound file (MP3, MP2), by their headers.

A file that has no tag in its first frame does not say how long it is. libsndfile 1.2.2 supposes
that all of it, tags and pictures too, has the first frame's bit rate: it reads 15 s of a file of
40 s that begins quietly, and calls one with a large picture cut short.
"""

from __future__ import annotations

import os
from typing import IO, Any

from mashnet.storage.regular_files import looked_into

_MOST_TAGS = 8
_MOST_FRAMES = 1_000_000  # seven hours
_MOST_AFTER = 1 << 16  # bytes after the last frame: lyrics, and what players write
_RATES_HZ = (44_100, 48_000, 32_000)
_KBPS = {  # by layer, of MPEG 1 and of 2 and 2.5
    (3, 1): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (3, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}


def num_samples(source: bytes | IO[bytes]) -> int | None:
    """Return how many samples per channel the frames of a file make, by going through them.

    Args:
        source: name of a file, or a file object, whose position is left where it was.

    Returns:
        None if it is no such file, or damaged, so that frames may have been passed over.
    """
    return looked_into(source, _num_samples)


def _num_samples(file: Any) -> int | None:
    end = file.seek(0, os.SEEK_END)
    at = after_tags(file)
    first = b""
    for count in range(_MOST_FRAMES):
        file.seek(at)
        header = file.read(4)
        size = frame_bytes(header)
        if not size or (first and not are_alike(first, header)):
            whole = first and end - at <= _MOST_AFTER
            return count * _samples_of_frame(first) if whole else None
        first = first or header
        at += size
    return None


def _samples_of_frame(header: bytes) -> int:
    return 576 if layer_of(header) == 3 and header[1] >> 3 & 3 != 3 else 1152


def after_tags(file: Any) -> int:
    """Return where the ID3 tags at the beginning end, in bytes."""
    begin = 0
    for _ in range(_MOST_TAGS):
        file.seek(begin)
        tag = file.read(10)
        if len(tag) < 10 or not tag.startswith(b"ID3"):
            break
        size = sum(
            (byte & 0x7F) << shift for byte, shift in zip(tag[6:], (21, 14, 7, 0), strict=True)
        )
        begin += 10 + size + (10 if tag[5] & 0x10 else 0)
    return begin


def layer_of(header: bytes) -> int:
    """Return the layer that a frame's header names: 1, 2 or 3 (4: none)."""
    return 4 - (header[1] >> 1 & 3)


def frame_bytes(header: bytes) -> int:
    """Return the length of an MPEG frame of layer II or III by its header; 0 for anything else."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return 0
    version, layer = header[1] >> 3 & 3, layer_of(header)
    rate, bits = header[2] >> 2 & 3, header[2] >> 4
    if version == 1 or layer not in (2, 3) or rate == 3 or not 1 <= bits <= 14:
        return 0
    generation = 1 if version == 3 else 2
    kbps = _KBPS[layer, generation][bits - 1]
    hz = _RATES_HZ[rate] // {3: 1, 2: 2, 0: 4}[version]
    factor = 72_000 if layer == 3 and generation == 2 else 144_000
    return factor * kbps // hz + (header[2] >> 1 & 1)


def are_alike(header: bytes, following: bytes) -> bool:
    """Return whether two frames can be of one stream: version, layer and rate are the same."""
    return len(following) < 4 or (
        following[0] == 0xFF
        and (header[1] ^ following[1]) & 0xFE == 0
        and (header[2] ^ following[2]) & 0x0C == 0
    )
