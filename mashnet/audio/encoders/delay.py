"""How late a compressed file's sound begins, beyond what its decoder knows of.

Encoders put samples before the music, and some formats say how many: then decoders cut them, and
nothing is left to do (Ogg Vorbis, Opus, FLAC, M4A with an edit list). Of the others, with ffmpeg
5.1, libsndfile 1.2.2 (libmpg123) and pedalboard, by cross-correlation (table: docs/formats.md):

- MP3. Every decoder adds 529 samples, every encoder some of its own, LAME 576. A tag in the first
  frame may say it. libmpg123 cuts 529 and what the tag says, be it nothing; ffmpeg does so for tags
  of LAME and of ffmpeg only; pedalboard never does. Without a tag nobody cuts anything.
- MPEG layer II: 481, those of its filter bank. AC-3: 256, the overlap of its windows.
- What says nothing and differs from encoder to encoder is left as it is: `Delay.doubt` says so.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from mashnet.audio.encoders.mpeg_frames import after_tags, are_alike, frame_bytes, layer_of
from mashnet.storage.paths import decodable
from mashnet.storage.regular_files import looked_into

DECODER_SAMPLES = 529  # of an MP3 decoder: 528 and one
LAME_SAMPLES = 576  # of the encoder, where nothing says it
LATE_SUFFIXES = frozenset((".mp3", ".mp2", ".ac3"))  # what begins late without this module
_LAYER_2_SAMPLES = 481
_AC3_SAMPLES = 256
_MOST_HEAD = 1 << 16  # bytes that are looked at, after tags
_MOST_INDEX = 1 << 20  # bytes at either end of an M4A file that may hold its index
_READ_BY_FFMPEG = (b"LAME", b"Lavf", b"Lavc")
_MP3_DOUBT = (
    "MP3 without an encoder's tag, 1,105 samples were cut from its beginning, which LAME and a "
    "decoder add; other encoders add some hundreds more or fewer"
)
_AC3_DOUBT = "AC-3, 256 samples were cut from its beginning; some encoders may do so themselves"


@dataclass(frozen=True)
class Delay:
    """Samples at the file's rate that a decoder leaves before the music.

    Attributes:
        soundfile: by libsndfile.
        ffmpeg: by the ffmpeg program.
        pedalboard: by pedalboard.
        doubt: what is not known of it, for a person; "" where it is known to the sample.
        length_unknown: whether nothing in the file says how long it is.
    """

    soundfile: int = 0
    ffmpeg: int = 0
    pedalboard: int = 0
    doubt: str = ""
    length_unknown: bool = False


_NONE = Delay()


def delay_of(source: bytes | IO[bytes]) -> Delay:
    """Return how late the sound of a file begins; of what is no such file, not at all.

    Args:
        source: name of a file, or a file object, whose position is left where it was.
    """
    return looked_into(source, _delay) or _NONE


def doubt_of(path: Path) -> str:
    """Return what is not known of a file's delay, for a person; "" where it is known."""
    with contextlib.suppress(OSError), decodable(path, whole=False) as source:
        return delay_of(source).doubt
    return ""


def _delay(file: Any) -> Delay:
    begin = after_tags(file)
    file.seek(begin)
    head = file.read(_MOST_HEAD)
    if head[4:8] == b"ftyp":
        return _of_mp4(file)
    if head.startswith(b"\x1aE\xdf\xa3") and (b"A_AAC" in head or b"A_MPEG" in head):
        return Delay(doubt="AAC or MP3 in Matroska, which rarely says how late it begins")
    if head.startswith(b"\x30\x26\xb2\x75"):
        return Delay(doubt="WMA, which does not say how late or early its decoder begins")
    if head.startswith(b"\x0b\x77"):
        return _uncut(_AC3_SAMPLES, doubt=_AC3_DOUBT)
    if _is_adts(head):
        return Delay(
            doubt="AAC without a container, whose encoder put 1,024 to 2,112 samples before it"
        )
    head = head.lstrip(b"\0")
    size = frame_bytes(head)
    following = head[size : size + 4]
    if not size or (following and not are_alike(head, following)):
        return _NONE
    if layer_of(head) == 2:
        return _uncut(_LAYER_2_SAMPLES, length_unknown=True)
    return _of_mp3(head[:size])


def _uncut(samples: int, *, doubt: str = "", length_unknown: bool = False) -> Delay:
    """Return the delay of a file that no decoder cuts anything from."""
    return Delay(samples, samples, samples, doubt, length_unknown)


def _of_mp3(frame: bytes) -> Delay:
    """Return the delay by what the first frame says of its encoder."""
    mono, mpeg_1 = frame[3] >> 6 == 3, frame[1] >> 3 & 3 == 3
    tag = frame[4 + ((17 if mono else 32) if mpeg_1 else (9 if mono else 17)) :]
    if tag[:4] not in (b"Xing", b"Info"):
        whole = DECODER_SAMPLES + LAME_SAMPLES
        says_length = frame[36:40] == b"VBRI"  # a tag of Fraunhofer's encoders
        return _uncut(whole, doubt=_MP3_DOUBT, length_unknown=not says_length)
    flags = int.from_bytes(tag[4:8], "big")
    encoder = tag[8 + sum(size for bit, size in enumerate((4, 4, 100, 4)) if flags >> bit & 1) :]
    said = int.from_bytes(encoder[21:24], "big") >> 12
    added = said or LAME_SAMPLES
    by_ffmpeg = DECODER_SAMPLES + said if encoder[:4] in _READ_BY_FFMPEG else 0
    whole = DECODER_SAMPLES + added
    return Delay(added - said, whole - by_ffmpeg, whole, "" if said else _MP3_DOUBT)


def _of_mp4(file: Any) -> Delay:
    """Return no delay; a doubt where AAC has neither an edit list nor what iTunes writes."""
    end = file.seek(0, os.SEEK_END)
    file.seek(0)
    index = file.read(_MOST_INDEX)
    file.seek(max(len(index), end - _MOST_INDEX))
    index += file.read(_MOST_INDEX)
    if b"mp4a" in index and b"elst" not in index and b"iTunSMPB" not in index:
        return Delay(doubt="AAC in a file that does not say how late it begins")
    return _NONE


def _is_adts(head: bytes) -> bool:
    return len(head) > 3 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0
