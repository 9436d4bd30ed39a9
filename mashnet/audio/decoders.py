"""Decoders: a file's sound, block by block, within bounds that no file can move.

A file may come from a stranger. What it announces is compared with what is there and with what
music has, before and while it is decoded; no array is made because a header asks for it. libsndfile
decodes in this process, ffmpeg and pedalboard in one of their own, which has a bounded memory and
is ended when nothing comes from it for long; ffmpeg may open this file alone (no playlist, no
network).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
import soundfile

from mashnet.audio.decoder_process import (
    BLOCK_SAMPLES,
    MIN_DECODED,
    MOST_MEMORY,
    NotUnderstood,
    Sound,
    cut_short,
    started,
)
from mashnet.audio.encoders.delay import Delay, delay_of
from mashnet.audio.encoders.mpeg_frames import num_samples
from mashnet.audio.headers import announced_per_byte
from mashnet.errors import AudioError
from mashnet.storage.paths import decodable, downloaded

MOST_CHANNELS = 32
# The rates of telephones and of music: nothing is recorded between them, or beyond.
RATES_HZ = (8000, 11_025, 768_000)

# Containers that hold their sound themselves. ffmpeg knows others, which open further files or
# addresses that are named in them (HLS, DASH, concat, SDP, image sequences, AviSynth scripts).
_CONTAINERS = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,dsf,dts,dtshd,eac3,flac,flv,iff,loas,matroska,webm,mlp,"
    "mov,mp3,mpc,mpc8,mpeg,mpegts,nut,ogg,oma,rm,shn,sox,tak,truehd,tta,voc,w64,wav,wv,xwma"
)
_WITH_PEDALBOARD = Path(__file__).with_name("with_pedalboard.py")


@contextlib.contextmanager
def decoded(
    path: Path, start_s: float, duration_s: float | None, stream: int = 0
) -> Iterator[Sound]:
    """Open a file with the first decoder that understands it.

    Args:
        path: the file.
        start_s: where to begin, in seconds.
        duration_s: how much to read, in seconds; None reads to the end.
        stream: which of the file's sound streams, counted from 0; all but the first need ffmpeg.

    Raises:
        AudioError: if none understands it, or it is not sound as music has it.
    """
    with contextlib.ExitStack() as stack:
        sound = _opened(stack, path, start_s, duration_s, stream)
        _require_plausible(path, sound)
        yield sound


def ffmpeg_is_installed() -> bool:
    """Return whether sound streams beyond a file's first can be read here."""
    return shutil.which("ffmpeg") is not None


def _opened(
    stack: contextlib.ExitStack, path: Path, start_s: float, duration_s: float | None, stream: int
) -> Sound:
    if stream:
        try:
            return stack.enter_context(_ffmpeg(path, start_s, duration_s, stream))
        except NotUnderstood as error:
            which = f"sound stream {stream} (counted from 0)"
            raise AudioError(f"{path}: {which} cannot be decoded: {error}") from error
    try:
        return stack.enter_context(_soundfile(path, start_s, duration_s))
    except NotUnderstood as error:
        reason = str(error)
    # pedalboard is asked where there is no ffmpeg alone: it decodes in this process.
    other = _ffmpeg if ffmpeg_is_installed() else _pedalboard
    with contextlib.suppress(NotUnderstood):
        return stack.enter_context(other(path, start_s, duration_s))
    hint = "; ffmpeg is not installed, with it more formats can be read"
    hint = "" if ffmpeg_is_installed() else hint
    raise AudioError(f"{path}: cannot be decoded: {reason}{hint}")


def _require_plausible(path: Path, sound: Sound) -> None:
    telephone, lowest, highest = RATES_HZ
    if sound.sample_rate != telephone and not lowest <= sound.sample_rate <= highest:
        raise AudioError(
            f"{path}: has a sample rate of {sound.sample_rate} Hz; sound has {telephone} Hz or "
            f"{lowest} to {highest} Hz. Is its header damaged? If not, resample it to 44100 Hz"
        )
    if not 1 <= sound.channels <= MOST_CHANNELS:
        raise AudioError(
            f"{path}: has {sound.channels} channels, {MOST_CHANNELS} can be read; "
            "mix it down to one or two"
        )


@contextlib.contextmanager
def _soundfile(path: Path, start_s: float, duration_s: float | None) -> Iterator[Sound]:
    whole = not start_s and duration_s is None
    with contextlib.ExitStack() as stack:
        try:
            source = stack.enter_context(decodable(path, whole=whole))
            promised = announced_per_byte(source)
            delay = delay_of(source)
            file = stack.enter_context(soundfile.SoundFile(source))
            there = _length(file, delay, source)
            first = min(delay.soundfile + round(start_s * file.samplerate), there)
            if first:
                file.seek(first)
        except soundfile.LibsndfileError as error:
            raise NotUnderstood(_in_words(error.error_string)) from error
        except (OSError, RuntimeError) as error:
            raise NotUnderstood(" ".join(str(error).split())) from error
        rate = file.samplerate
        if promised is not None and MIN_DECODED * promised > 1:
            raise cut_short(path, there / rate, promised * there / rate)
        wanted = there - first
        if duration_s is not None:
            wanted = min(wanted, round(duration_s * rate))
        yield Sound(rate, file.channels, wanted, _read(path, file, wanted))


def _length(file: soundfile.SoundFile, delay: Delay, source: bytes | IO[bytes]) -> int:
    """Return how many samples a file has; raise NotUnderstood where libsndfile would lose some."""
    counted = num_samples(source) if delay.length_unknown else None
    if counted is None:
        return file.frames
    if counted > file.frames:
        raise NotUnderstood("does not say how long it is")
    return counted


def _in_words(said: str) -> str:
    """Return what libsndfile says of a file, where that is of any help."""
    unhelpful = ("Internal error", "File does not exist", "Error : unknown error")
    return "Format not recognised" if said.startswith(unhelpful) else said.rstrip(".")


def _read(path: Path, file: soundfile.SoundFile, wanted: int) -> Iterator[np.ndarray]:
    got = 0
    while got < wanted:
        try:
            samples = min(BLOCK_SAMPLES, wanted - got)
            block = file.read(samples, dtype="float32", always_2d=True).T
        except soundfile.SoundFileError:
            break
        if not block.shape[1]:
            break
        got += block.shape[1]
        yield block
    if got < MIN_DECODED * wanted:
        raise cut_short(path, got / file.samplerate, wanted / file.samplerate)


@contextlib.contextmanager
def _pedalboard(path: Path, start_s: float, duration_s: float | None) -> Iterator[Sound]:
    lasts_s = float("inf") if duration_s is None else duration_s
    with downloaded(path) as local:
        program = [sys.executable, "-I", str(_WITH_PEDALBOARD), os.fsdecode(local.absolute())]
        late = delay_of(os.fsencode(local)).pedalboard
        command = [*program, repr(start_s), repr(lasts_s), str(late)]
        with started("pedalboard", command, path, start_s, duration_s) as sound:
            yield sound


@contextlib.contextmanager
def _ffmpeg(
    path: Path, start_s: float, duration_s: float | None, stream: int = 0
) -> Iterator[Sound]:
    program = shutil.which("ffmpeg")
    if program is None:
        raise NotUnderstood("ffmpeg is not installed")
    with downloaded(path) as local:
        command = [program, "-nostdin", "-nostats", "-v", "info", "-threads", "1"]
        command += ["-max_alloc", str(MOST_MEMORY // 4)]
        command += ["-protocol_whitelist", "file", "-format_whitelist", _CONTAINERS]
        command += ["-i", f"file:{local.absolute()}"]
        # Decoded and discarded by counting samples: seeking, and the time stamps, are not exact.
        late = delay_of(os.fsencode(local)).ffmpeg
        trim = f"asetpts=N/SR/TB,atrim=start_sample={late}," if late else ""
        trim += f"asetpts=N/SR/TB,atrim=start={start_s!r}"
        trim += "" if duration_s is None else f":duration={duration_s!r}"
        command += ["-filter_threads", "1", "-af", trim]
        # AU tells rate and channels in a stream.
        command += ["-map", f"0:a:{stream}", "-f", "au", "-c:a", "pcm_f32be", "pipe:1"]
        with started("ffmpeg", command, path, start_s, duration_s) as sound:
            yield sound
