"""Reading and writing sound; with mashnet.audio.decoders the only place that does.

Conventions: audio is float32, shape (channels, samples), nominally in [-1, 1].

A file is read by libsndfile (soundfile), else by the ffmpeg program, else, where that is not
installed, by pedalboard; the first that understands the file wins. Only ffmpeg knows further sound
streams of one file (*.stem.mp4 has five). docs/security.md has what is refused.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import soundfile
import soxr

from mashnet.audio.decoders import decoded
from mashnet.audio.decoders import ffmpeg_is_installed as ffmpeg_is_installed
from mashnet.audio.tags.of_file import tags_of
from mashnet.errors import AudioError
from mashnet.files import written_atomically
from mashnet.storage.paths import decodable, is_local, root_of
from mashnet.storage.regular_files import opened, require_regular

# What a folder is searched for; reading itself goes by content, not by name.
AUDIO_SUFFIXES = frozenset(
    ".wav .wave .w64 .rf64 .flac .ogg .oga .opus .mp3 .mp2 .m4a .m4b .mp4 .aac .aif .aiff .aifc "
    ".au .snd .caf .wma .wv .ape .tta .mka .webm .ac3".split()
)
# Of decoded sound in one array: 33 minutes of stereo at 44.1 kHz. Longer files: `read_blocks`.
MOST_BYTES = 700_000_000
_SOUND_FORMATS = {".wav": "WAV", ".flac": "FLAC"}  # what a finished piece is written as
_WRITE_BLOCK = 1 << 18  # samples


class _Tried(Exception):
    """A file could be opened for writing; it is not wanted."""


def read_audio(
    path: Path,
    *,
    sample_rate: int | None = None,
    mono: bool = False,
    start_s: float = 0.0,
    duration_s: float | None = None,
    stream: int = 0,
) -> tuple[np.ndarray, int]:
    """Decode a file, or a stretch of it by seeking.

    Args:
        path: the file.
        sample_rate: resample to this rate (soxr, high quality); None keeps the file's.
        mono: average the channels.
        start_s: where to begin, in seconds.
        duration_s: how much to read, in seconds; None reads to the end.
        stream: which of the file's sound streams, counted from 0; all but the first need ffmpeg.

    Returns:
        Audio of shape (channels, samples), and its sample rate in Hz.

    Raises:
        AudioError: if the file cannot be read or decoded, is cut short, is empty, has samples that
            are not finite, a rate or number of channels that sound does not have, or more sound
            than `MOST_BYTES` hold.
    """
    path = root_of(path)
    _check_readable(path)
    audio, rate = _decode(path, start_s, duration_s, stream, sample_rate=sample_rate, mono=mono)
    if audio.shape[1] == 0:
        raise AudioError(f"{path}: has no samples")
    return audio, rate


def write_flac(path: Path, audio: np.ndarray, sample_rate: int) -> None:
    """Write (channels, samples) as 16-bit FLAC, atomically. Samples beyond ±1 are clipped.

    Raises:
        OSError: naming the path, if the disk is full or must not be written to.
    """
    # Encoded in memory first: libsndfile does not say why a write to a full disk failed.
    encoded = io.BytesIO()
    soundfile.write(encoded, np.clip(audio, -1, 1).T, sample_rate, "PCM_16", format="FLAC")
    with written_atomically(path) as temporary:
        temporary.write_bytes(encoded.getbuffer())


@contextlib.contextmanager
def flac_writer(
    path: Path, channels: int, sample_rate: int
) -> Iterator[Callable[[np.ndarray], None]]:
    """Yield a function that appends (channels, samples) to a 24-bit FLAC; renamed when done.

    For sound that is too long to be held in memory. Samples beyond ±1 are clipped.

    Raises:
        OSError: naming the path, if the disk is full or must not be written to.
    """
    with (
        written_atomically(path) as temporary,
        # A Python file: its write errors are OSErrors, libsndfile's own are not.
        temporary.open("wb") as raw,
        soundfile.SoundFile(
            raw, "w", sample_rate, channels, subtype="PCM_24", format="FLAC"
        ) as file,
    ):
        yield lambda audio: file.write(np.clip(audio, -1, 1).T)


def require_writable_sound(path: Path) -> None:
    """Raise an AudioError if `write_sound` could not write there, before any work is done for it.

    Raises:
        AudioError: if the name ends in no known format, or the folder cannot be made or written to.
    """
    _sound_format(path)
    if path.is_dir():
        raise AudioError(f"{path}: is a folder")
    try:
        with written_atomically(path) as temporary:
            temporary.touch()
            raise _Tried
    except _Tried:
        return
    except OSError as error:
        raise AudioError(f"{path}: cannot be written: {error.strerror or error}") from error


def write_sound(path: Path, audio: np.ndarray, sample_rate: int) -> None:
    """Write (channels, samples) with 24 bits as its name says (.wav, .flac), atomically.

    Samples beyond ±1 are clipped. Written block by block: nothing of the sound is held twice.

    Raises:
        AudioError: if it cannot be written there.
    """
    format_name = _sound_format(path)
    try:
        with (
            written_atomically(path) as temporary,
            temporary.open("wb") as raw,
            soundfile.SoundFile(
                raw, "w", sample_rate, audio.shape[0], subtype="PCM_24", format=format_name
            ) as file,
        ):
            for start in range(0, audio.shape[1], _WRITE_BLOCK):
                file.write(np.clip(audio[:, start : start + _WRITE_BLOCK], -1, 1).T)
    except OSError as error:
        raise AudioError(f"{path}: cannot be written: {error.strerror or error}") from error


def _sound_format(path: Path) -> str:
    """Return what libsndfile calls the format that a name asks for."""
    try:
        return _SOUND_FORMATS[path.suffix.lower()]
    except KeyError:
        formats = " or ".join(_SOUND_FORMATS)
        raise AudioError(f"{path}: its name must end in {formats}") from None


def _check_readable(path: Path) -> None:
    """Raise an AudioError for what no decoder could read, with the system's reason."""
    try:
        if not is_local(path):  # one request to the store, not three
            if path.stat().st_size == 0:
                raise AudioError(f"{path}: is empty (0 bytes)")
            return
        if not path.is_file():
            what = "is not a file" if path.exists() else "does not exist"
            raise AudioError(f"{path}: {what}")
        with opened(path) as file:
            if not file.read(1):
                raise AudioError(f"{path}: is empty (0 bytes)")
    except FileNotFoundError as error:
        raise AudioError(f"{path}: does not exist") from error
    except OSError as error:
        raise AudioError(f"{path}: cannot be read: {error.strerror or error}") from error


def _decode(
    path: Path,
    start_s: float,
    duration_s: float | None,
    stream: int,
    *,
    sample_rate: int | None = None,
    mono: bool = False,
) -> tuple[np.ndarray, int]:
    """Return finite sound, (channels, samples), and its rate.

    Mixed down and resampled on the way: what is kept is the result, and no more than `MOST_BYTES`
    of it, whatever a file announces and however much comes out of it.
    """
    with decoded(path, start_s, duration_s, stream) as sound:
        channels = 1 if mono else sound.channels
        rate = sample_rate or sound.sample_rate
        most = MOST_BYTES // (4 * channels * rate) * sound.sample_rate  # samples of the file
        if sound.announced is not None and sound.announced > most:
            raise _too_long(path, "announces", sound.announced, most, sound.sample_rate)
        resampler = soxr.ResampleStream(sound.sample_rate, rate, channels, dtype="float32")
        kept: list[np.ndarray] = []
        got = 0
        for block in sound.blocks:
            got += block.shape[1]
            if got > most:
                raise _too_long(path, "holds more than", got, most, sound.sample_rate)
            if not np.isfinite(block).all():
                raise AudioError(f"{path}: has samples that are not finite (NaN or infinity)")
            if mono:
                block = block.mean(axis=0, keepdims=True)
            if rate != sound.sample_rate:
                block = resampler.resample_chunk(np.ascontiguousarray(block.T)).T
            kept.append(block)
        if got and rate != sound.sample_rate:
            nothing = np.zeros((0, channels), np.float32)
            kept.append(resampler.resample_chunk(nothing, last=True).T)
    return _joined(kept, channels), rate


def _joined(blocks: list[np.ndarray], channels: int) -> np.ndarray:
    """Return blocks one after the other, and empty the list: they are not held twice."""
    end = sum(block.shape[1] for block in blocks)
    whole = np.empty((channels, end), np.float32)
    while blocks:
        block = blocks.pop()
        whole[:, end - block.shape[1] : end] = block
        end -= block.shape[1]
    return whole


def _too_long(path: Path, does: str, samples: int, most: int, rate: int) -> AudioError:
    return AudioError(
        f"{path}: {does} {samples / rate / 60:.0f} min of sound; {most / rate / 60:.0f} min of it "
        "can be read at once, cut it into songs"
    )


def read_blocks(
    path: Path, *, sample_rate: int, block_s: float, overlap_s: float = 0.0, stream: int = 0
) -> Iterator[np.ndarray]:
    """Decode a file block by block, so that its length does not matter to memory.

    Args:
        path: the file.
        sample_rate: every block is resampled to this rate.
        block_s: length of a block in seconds; whole seconds keep blocks on exact samples.
        overlap_s: how much of a block's end is read again as the next one's beginning.
        stream: which of the file's sound streams, as in `read_audio`.

    Yields:
        Blocks of shape (channels, samples); the last may be shorter than the others.

    Raises:
        AudioError: as `read_audio`, when the block in question is reached.
    """
    path = root_of(path)
    _check_readable(path)
    start_s = 0.0
    while True:
        block, rate = _decode(path, start_s, block_s, stream)
        if block.shape[1] == 0 and start_s > 0:
            return
        if block.shape[1] == 0:
            raise AudioError(f"{path}: has no samples")
        last = block.shape[1] < round(block_s * rate)
        if rate != sample_rate:
            block = soxr.resample(block.T, rate, sample_rate).T.astype(np.float32)
        yield np.ascontiguousarray(block)
        if last:
            return
        start_s += block_s - overlap_s


def length_s(path: Path) -> float | None:
    """Return how long a file's sound is by its header, in seconds; None where that does not say."""
    path = root_of(path)
    try:
        with decodable(path, whole=False) as source, soundfile.SoundFile(source) as file:
            return file.frames / file.samplerate
    except (OSError, RuntimeError):
        return None


def read_tags(path: Path) -> dict[str, str]:
    """Return title, artist, license, bpm and key as the file has them; what it lacks is absent."""
    try:
        require_regular(path)
        with soundfile.SoundFile(os.fsencode(path)) as file:
            tags = file.copy_metadata()
    except (OSError, RuntimeError):
        tags = {}
    found = {name: tags[name] for name in ("title", "artist", "license") if tags.get(name)}
    return tags_of(path) | found
