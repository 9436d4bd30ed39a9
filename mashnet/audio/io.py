"""The one file that decodes or encodes sound.

Conventions: audio is float32, shape (channels, samples), nominally in [-1, 1].

A file is read by libsndfile (soundfile), else by pedalboard, else by the ffmpeg program where it
is installed; the first that understands the file wins. Only ffmpeg knows further sound streams of
one file (*.stem.mp4 has five).
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import soundfile
import soxr

from mashnet.errors import AudioError
from mashnet.files import written_atomically

# What a folder is searched for; reading itself goes by content, not by name.
AUDIO_SUFFIXES = frozenset(
    ".wav .wave .w64 .rf64 .flac .ogg .oga .opus .mp3 .mp2 .m4a .m4b .mp4 .aac .aif .aiff .aifc "
    ".au .snd .caf .wma .wv .ape .tta .mka .webm .ac3".split()
)
_FFMPEG_TIMEOUT_S = 600
_SOUND_FORMATS = {".wav": "WAV", ".flac": "FLAC"}  # what a finished piece is written as
_WRITE_BLOCK = 1 << 18  # samples
_MIN_DECODED = 0.99  # share of the announced samples; below it the file is called cut short


class _Tried(Exception):
    """A file could be opened for writing; it is not wanted."""


class _NotUnderstood(Exception):
    """A decoder does not know the format; another may."""


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
        AudioError: if the file cannot be read or decoded, is cut short, is empty, or has samples
            that are not finite.
    """
    path = Path(path)
    _check_readable(path)
    audio, rate = _decode(path, start_s, duration_s, stream)
    if audio.shape[1] == 0:
        raise AudioError(f"{path}: has no samples")
    if not np.isfinite(audio).all():
        raise AudioError(f"{path}: has samples that are not finite (NaN or infinity)")
    if mono:
        audio = audio.mean(axis=0, keepdims=True)
    if sample_rate is not None and sample_rate != rate:
        audio = soxr.resample(audio.T, rate, sample_rate).T.astype(np.float32)
        rate = sample_rate
    return np.ascontiguousarray(audio), rate


def ffmpeg_is_installed() -> bool:
    """Return whether sound streams beyond a file's first can be read here."""
    return shutil.which("ffmpeg") is not None


def write_flac(path: Path, audio: np.ndarray, sample_rate: int) -> None:
    """Write (channels, samples) as 16-bit FLAC, atomically. Samples beyond ±1 are clipped.

    Raises:
        OSError: naming the path, if the disk is full or must not be written to.
    """
    # Encoded in memory first: libsndfile does not say why a write to a full disk failed.
    encoded = io.BytesIO()
    soundfile.write(encoded, np.clip(audio, -1, 1).T, sample_rate, "PCM_16", format="FLAC")
    try:
        with written_atomically(path) as temporary:
            temporary.write_bytes(encoded.getbuffer())
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


@contextlib.contextmanager
def flac_writer(
    path: Path, channels: int, sample_rate: int
) -> Iterator[Callable[[np.ndarray], None]]:
    """Yield a function that appends (channels, samples) to a 24-bit FLAC; renamed when done.

    For sound that is too long to be held in memory. Samples beyond ±1 are clipped.

    Raises:
        OSError: naming the path, if the disk is full or must not be written to.
    """
    try:
        with (
            written_atomically(path) as temporary,
            # A Python file: its write errors are OSErrors, libsndfile's own are not.
            temporary.open("wb") as raw,
            soundfile.SoundFile(
                raw, "w", sample_rate, channels, subtype="PCM_24", format="FLAC"
            ) as file,
        ):
            yield lambda audio: file.write(np.clip(audio, -1, 1).T)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


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
        if not path.is_file():
            what = "is not a file" if path.exists() else "does not exist"
            raise AudioError(f"{path}: {what}")
        with path.open("rb") as file:
            if not file.read(1):
                raise AudioError(f"{path}: is empty (0 bytes)")
    except OSError as error:
        raise AudioError(f"{path}: cannot be read: {error.strerror or error}") from error


def _decode(
    path: Path, start_s: float, duration_s: float | None, stream: int
) -> tuple[np.ndarray, int]:
    if stream:
        try:
            return _decode_ffmpeg(path, start_s, duration_s, stream)
        except _NotUnderstood as error:
            which = f"sound stream {stream} (counted from 0)"
            raise AudioError(f"{path}: {which} cannot be decoded: {error}") from error
    try:
        return _decode_soundfile(path, start_s, duration_s)
    except _NotUnderstood as error:
        reason = str(error)
    for decode in (_decode_pedalboard, _decode_ffmpeg):
        with contextlib.suppress(_NotUnderstood):
            return decode(path, start_s, duration_s)
    hint = "; ffmpeg is not installed, with it more formats can be read"
    hint = "" if ffmpeg_is_installed() else hint
    raise AudioError(f"{path}: cannot be decoded: {reason}{hint}")


def _decode_soundfile(
    path: Path, start_s: float, duration_s: float | None
) -> tuple[np.ndarray, int]:
    try:
        # Bytes: a name that is not valid UTF-8 cannot be encoded by soundfile itself.
        with soundfile.SoundFile(os.fsencode(path)) as file:
            rate, total = file.samplerate, file.frames
            first = min(round(start_s * rate), total)
            if first:
                file.seek(first)
            wanted = total - first
            if duration_s is not None:
                wanted = min(wanted, round(duration_s * rate))
            try:
                audio = file.read(wanted, dtype="float32", always_2d=True).T
            except soundfile.SoundFileError:
                audio = np.zeros((file.channels, 0), np.float32)
    except soundfile.LibsndfileError as error:
        raise _NotUnderstood(error.error_string.rstrip(".")) from error
    except (OSError, RuntimeError) as error:
        raise _NotUnderstood(" ".join(str(error).split())) from error
    if audio.shape[1] < _MIN_DECODED * wanted:
        raise AudioError(
            f"{path}: is damaged or cut short: {audio.shape[1] / rate:.1f} s of the announced "
            f"{wanted / rate:.1f} s could be decoded"
        )
    return audio, rate


def _decode_pedalboard(
    path: Path, start_s: float, duration_s: float | None
) -> tuple[np.ndarray, int]:
    from pedalboard.io import AudioFile

    try:
        with path.open("rb") as raw, AudioFile(raw) as file:
            rate = round(file.samplerate)
            if start_s:
                file.seek(min(round(start_s * rate), file.frames))
            left = file.frames - file.tell()
            wanted = left if duration_s is None else min(left, round(duration_s * rate))
            return np.asarray(file.read(wanted), dtype=np.float32), rate
    except (OSError, ValueError, RuntimeError) as error:
        raise _NotUnderstood(str(error)) from error


def _decode_ffmpeg(
    path: Path, start_s: float, duration_s: float | None, stream: int = 0
) -> tuple[np.ndarray, int]:
    program = shutil.which("ffmpeg")
    if program is None:
        raise _NotUnderstood("ffmpeg is not installed")
    command = [program, "-nostdin", "-v", "error"]
    # Only this file: playlists must not open others. AU tells rate and channels in a stream.
    command += ["-protocol_whitelist", "file,pipe", "-i", f"file:{path.absolute()}"]
    # Decoded and discarded by counting samples: seeking, and the time stamps, are not exact.
    trim = f"atrim=start={start_s!r}" + ("" if duration_s is None else f":duration={duration_s!r}")
    command += ["-af", f"asetpts=N/SR/TB,{trim}"]
    command += ["-map", f"0:a:{stream}", "-f", "au", "-c:a", "pcm_f32be", "pipe:1"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_FFMPEG_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _NotUnderstood(str(error)) from error
    if b"matches no streams" in done.stderr:
        raise _NotUnderstood("the file has no such stream")
    if b"partial file" in done.stderr:  # ffmpeg calls that success and gives what there is
        raise AudioError(f"{path}: is damaged or cut short")
    if done.returncode or len(done.stdout) < 24:
        raise _NotUnderstood("ffmpeg cannot decode it")
    offset, rate, channels = (int.from_bytes(done.stdout[at : at + 4], "big") for at in (4, 16, 20))
    samples = np.frombuffer(done.stdout, dtype=">f4", offset=offset)
    whole = samples[: samples.size - samples.size % channels]
    return whole.reshape(-1, channels).T.astype(np.float32), rate


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
    path = Path(path)
    _check_readable(path)
    start_s = 0.0
    while True:
        block, rate = _decode(path, start_s, block_s, stream)
        if block.shape[1] == 0 and start_s > 0:
            return
        if block.shape[1] == 0:
            raise AudioError(f"{path}: has no samples")
        if not np.isfinite(block).all():
            raise AudioError(f"{path}: has samples that are not finite (NaN or infinity)")
        last = block.shape[1] < round(block_s * rate)
        if rate != sample_rate:
            block = soxr.resample(block.T, rate, sample_rate).T.astype(np.float32)
        yield np.ascontiguousarray(block)
        if last:
            return
        start_s += block_s - overlap_s


def read_tags(path: Path) -> dict[str, str]:
    """Return title, artist and license as the file itself names them; what it lacks is absent."""
    try:
        with soundfile.SoundFile(os.fsencode(path)) as file:
            tags = file.copy_metadata()
    except (OSError, RuntimeError):
        return {}
    return {name: tags[name] for name in ("title", "artist", "license") if tags.get(name)}
