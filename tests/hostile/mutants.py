"""Mutants of sound files: the same 500 on every run, each with a name that says what was done.

What is a lie is told apart from mere damage: a reader can know that a file of 3 s does not hold the
10 hours that it announces, but not that one bit of a sample is another.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from tests.hostile.sounds import DURATION_S, FORMATS, RATE

HOURS_10_S = 36_000
RATES_HZ = (10_000, 1_000_000, 0)
CHANNELS = (64, 65535)
# Lies that nothing depends on: the rate of the sound is AAC's own, not that of the time stamps.
HARMLESS = {"timescale-1000000"}
HEADER_BYTES = {"wav": 44, "flac": 64, "ogg": 200, "mp3": 400, "m4a": 1200, "stem.mp4": 5000}


@dataclass(frozen=True)
class Mutant:
    """A file to be read.

    Attributes:
        name: of the file, with the suffix that it claims.
        content: its bytes.
        lies: whether a reader can know that it must be refused.
        stream: which sound stream is asked for.
    """

    name: str
    content: bytes
    lies: bool = False
    stream: int = 0


def mutants(originals: dict[str, bytes], *, per_format: int = 84) -> list[Mutant]:
    """Return `per_format` mutants of each format: lies, then damage at places drawn by a seed."""
    found: list[Mutant] = []
    for number, suffix in enumerate(FORMATS):
        whole = originals[suffix]
        told = [
            Mutant(f"{name}.{suffix}", content, lies=name not in HARMLESS)
            for name, content in LIES[suffix](whole)
        ]
        told += list(_disguises(suffix, originals))
        random = np.random.default_rng([6, number])
        damaged = _damaged(suffix, whole, random)
        found += told + [next(damaged) for _ in range(per_format - len(told))]
    return found


def _damaged(suffix: str, whole: bytes, random: np.random.Generator) -> Iterator[Mutant]:
    header = min(HEADER_BYTES[suffix], len(whole))
    kinds: list[tuple[str, Callable[[], bytes]]] = [
        ("header-bit", lambda: _flipped(whole, random, 0, header, 1)),
        ("header-bits", lambda: _flipped(whole, random, 0, header, 16)),
        ("header-byte", lambda: _overwritten(whole, random, 0, header)),
        ("body-bits", lambda: _flipped(whole, random, header, len(whole), 64)),
        ("cut", lambda: whole[: int(random.integers(1, len(whole)))]),
        ("cut-in-header", lambda: whole[: int(random.integers(1, header))]),
        ("zeros", lambda: _zeroed(whole, random)),
        ("hole", lambda: _without(whole, random)),
        ("twice", lambda: _repeated(whole, random)),
    ]
    number = 0
    while True:
        kind, make = kinds[number % len(kinds)]
        stream = int(random.integers(0, 5)) if suffix == "stem.mp4" else 0
        yield Mutant(f"{kind}-{number}.{suffix}", make(), stream=stream)
        number += 1


def _flipped(whole: bytes, random: np.random.Generator, first: int, last: int, bits: int) -> bytes:
    changed = bytearray(whole)
    for place in random.integers(first, last, bits):
        changed[place] ^= 1 << int(random.integers(8))
    return bytes(changed)


def _overwritten(whole: bytes, random: np.random.Generator, first: int, last: int) -> bytes:
    changed = bytearray(whole)
    place = int(random.integers(first, last - 4))
    changed[place : place + 4] = [b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", bytes(4)][
        int(random.integers(3))
    ]
    return bytes(changed)


def _zeroed(whole: bytes, random: np.random.Generator) -> bytes:
    first = int(random.integers(0, len(whole)))
    length = int(random.integers(1, len(whole) - first + 1))
    return whole[:first] + bytes(length) + whole[first + length :]


def _without(whole: bytes, random: np.random.Generator) -> bytes:
    first, last = sorted(random.integers(0, len(whole), 2))
    return whole[:first] + whole[last:] or whole[:1]


def _repeated(whole: bytes, random: np.random.Generator) -> bytes:
    first, last = sorted(random.integers(0, len(whole), 2))
    return whole[:last] + whole[first:]


def _disguises(suffix: str, originals: dict[str, bytes]) -> Iterator[Mutant]:
    """Yield what is called one thing and is another."""
    other = FORMATS[(FORMATS.index(suffix) + 1) % len(FORMATS)]
    yield Mutant(f"is-{other}.{suffix}", originals[other])
    yield Mutant(f"glued-{other}.{suffix}", originals[suffix] + originals[other])
    yield Mutant(f"before-{other}.{suffix}", originals[other] + originals[suffix])
    for name, content in PLAYLISTS.items():
        yield Mutant(f"{name}.{suffix}", content, True)
    yield Mutant(f"huge-id3.{suffix}", b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f" + originals[suffix])
    yield Mutant(f"nothing-but-zeros.{suffix}", bytes(100_000), True)


# Each asks for "secret.wav", which lies beside it, or for a server.
PLAYLISTS = {
    "ffconcat": b"ffconcat version 1.0\nfile secret.wav\n",
    "m3u8": b"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\nsecret.wav\n#EXT-X-ENDLIST\n",
    "m3u8-net": b"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\nhttp://127.0.0.1:9/a.ts\n",
    "dash": b'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static">'
    b"<Period><AdaptationSet><Representation><BaseURL>secret.wav</BaseURL></Representation>"
    b"</AdaptationSet></Period></MPD>",
    "sdp": b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
    b"m=audio 5004 RTP/AVP 0\n",
}


def _wav_lies(whole: bytes) -> Iterator[tuple[str, bytes]]:
    for rate in RATES_HZ:
        yield f"rate-{rate}", _put(whole, 24, struct.pack("<I", rate))
    for channels in CHANNELS:
        yield f"channels-{channels}", _put(whole, 22, struct.pack("<H", channels))
    for channels in CHANNELS:  # consistent in itself: block and byte rate follow
        frame = 2 * channels
        values = struct.pack("<HIIH", channels, RATE, RATE * frame & 0xFFFFFFFF, frame & 0xFFFF)
        yield f"channels-{channels}-alike", _put(whole, 22, values)
    size = min(HOURS_10_S * RATE * 4, 0xFFFFFF00)
    yield "10-hours", _put(_put(whole, 40, struct.pack("<I", size)), 4, struct.pack("<I", size))
    yield "10-hours-of-data-only", _put(whole, 40, struct.pack("<I", size))
    yield "bits-0", _put(whole, 34, bytes(2))
    # A chunk before the data that is longer than the file.
    yield "long-chunk", whole[:36] + b"LIST" + struct.pack("<I", 0x7FFFFFF0) + whole[36:]


def _flac_lies(whole: bytes) -> Iterator[tuple[str, bytes]]:
    # STREAMINFO begins at byte 8; rate 20 bits, channels 3, depth 5, samples 36, from byte 18 on.
    def info(rate: int = RATE, channels: int = 2, samples: int = round(DURATION_S * RATE)) -> bytes:
        value = rate << 44 | (channels - 1) << 41 | 15 << 36 | samples
        return _put(whole, 18, value.to_bytes(8, "big"))

    for rate in (10_000, (1 << 20) - 1):  # 20 bits end at 1.05 MHz
        yield f"rate-{rate}", info(rate=rate)
    yield "channels-8", info(channels=8)
    yield "10-hours", info(samples=HOURS_10_S * RATE)
    yield "most-samples", info(samples=(1 << 36) - 1)
    yield "10-hours-of-8-channels", info(channels=8, samples=HOURS_10_S * RATE)
    # The first block of metadata claims 16 MB, and so does one that is added before it.
    yield "huge-metadata", _put(whole, 5, b"\xff\xff\xff")
    yield "picture", whole[:4] + b"\x06\xff\xff\xff" + whole[4:]


def _ogg_lies(whole: bytes) -> Iterator[tuple[str, bytes]]:
    # The identification header of Vorbis: channels at 39, rate at 40 of the file.
    for rate in RATES_HZ:
        yield f"rate-{rate}", _ogg_page(whole, 0, 40, struct.pack("<I", rate))
    for channels in (64, 255):
        yield f"channels-{channels}", _ogg_page(whole, 0, 39, bytes([channels]))
    last = whole.rfind(b"OggS")
    hours = struct.pack("<q", HOURS_10_S * RATE)
    yield "10-hours", _ogg_page(whole, last, 6, hours)
    yield "most-samples", _ogg_page(whole, last, 6, struct.pack("<q", (1 << 62) - 1))


def _mp3_lies(whole: bytes) -> Iterator[tuple[str, bytes]]:
    # A Xing header names the number of frames; libsndfile's encoder writes one.
    place = max(whole.find(b"Xing"), whole.find(b"Info"))
    assert place > 0
    for name, frames in (("10-hours", HOURS_10_S * RATE // 1152), ("most-frames", 0xFFFFFFFF)):
        yield name, _put(whole, place + 8, struct.pack(">I", frames))


def _mp4_lies(whole: bytes) -> Iterator[tuple[str, bytes]]:
    mdhd, stts, stsz = (whole.find(name) for name in (b"mdhd", b"stts", b"stsz"))
    stco = whole.find(b"stco")
    for rate in RATES_HZ:
        yield f"timescale-{rate}", _put(whole, mdhd + 16, struct.pack(">I", rate))
    # Of AAC's own configuration, after its tag 5: 4 bits of rate (13 is none), 4 of channels.
    esds = whole.find(b"esds")
    config = whole.find(b"\x05\x80\x80\x80", esds) + 5
    assert 4 < config < esds + 60
    yield "rate-reserved", _put(whole, config, (2 << 11 | 13 << 7 | 2 << 3).to_bytes(2, "big"))
    yield "channels-reserved", _put(whole, config, (2 << 11 | 4 << 7 | 15 << 3).to_bytes(2, "big"))
    yield "10-hours-of-one-sample", _put(whole, stts + 16, struct.pack(">I", HOURS_10_S * RATE))
    yield "most-entries", _put(whole, stts + 8, struct.pack(">I", 0xFFFFFFFF))
    yield "most-samples", _put(whole, stsz + 12, struct.pack(">I", 0xFFFFFFFF))
    yield "huge-samples", _put(whole, stsz + 8, struct.pack(">I", 0x7FFFFFFF))
    yield "most-offsets", _put(whole, stco + 8, struct.pack(">I", 0xFFFFFFFF))
    yield "offsets-outside", _put(whole, stco + 12, 10 * struct.pack(">I", 0xFFFFFF00))


def _put(whole: bytes, place: int, values: bytes) -> bytes:
    return whole[:place] + values + whole[place + len(values) :]


def _ogg_page(whole: bytes, page: int, place: int, values: bytes) -> bytes:
    """Change bytes of a page, counted from its beginning, and make its checksum right again."""
    segments = whole[page + 26]
    length = 27 + segments + sum(whole[page + 27 : page + 27 + segments])
    changed = bytearray(_put(whole[page : page + length], place, values))
    changed[22:26] = bytes(4)
    changed[22:26] = _ogg_crc(bytes(changed)).to_bytes(4, "little")
    return whole[:page] + bytes(changed) + whole[page + length :]


def _ogg_crc(page: bytes) -> int:
    value = 0
    for byte in page:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ 0x04C11DB7 if value & 0x80000000 else value << 1) & 0xFFFFFFFF
    return value


LIES: dict[str, Callable[[bytes], Iterator[tuple[str, bytes]]]] = {
    "wav": _wav_lies,
    "flac": _flac_lies,
    "ogg": _ogg_lies,
    "mp3": _mp3_lies,
    "m4a": _mp4_lies,
    "stem.mp4": _mp4_lies,
}
