"""The one file that decodes or encodes sound.

Conventions: audio is float32, shape (channels, samples), nominally in [-1, 1].
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
import soxr

from mashnet.errors import AudioError
from mashnet.files import written_atomically


def read_audio(
    path: Path,
    *,
    sample_rate: int | None = None,
    mono: bool = False,
    start_s: float = 0.0,
    duration_s: float | None = None,
) -> tuple[np.ndarray, int]:
    """Decode a file, or a stretch of it by seeking.

    Args:
        path: the file.
        sample_rate: resample to this rate (soxr, high quality); None keeps the file's.
        mono: average the channels.
        start_s: where to begin, in seconds.
        duration_s: how much to read, in seconds; None reads to the end.

    Returns:
        Audio of shape (channels, samples), and its sample rate in Hz.

    Raises:
        AudioError: if the file cannot be decoded, is empty, or has samples that are not finite.
    """
    try:
        with soundfile.SoundFile(path) as file:
            rate = file.samplerate
            if start_s:
                file.seek(min(round(start_s * rate), file.frames))
            frames = -1 if duration_s is None else round(duration_s * rate)
            audio = file.read(frames, dtype="float32", always_2d=True).T
    except (OSError, soundfile.SoundFileError) as error:
        raise AudioError(f"{path}: cannot be decoded: {error}") from error
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


def write_flac(path: Path, audio: np.ndarray, sample_rate: int) -> None:
    """Write (channels, samples) as 16-bit FLAC, atomically. Samples beyond ±1 are clipped."""
    with written_atomically(path) as temporary:
        soundfile.write(
            temporary, np.clip(audio, -1, 1).T, sample_rate, subtype="PCM_16", format="FLAC"
        )
