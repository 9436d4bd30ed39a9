"""Six small honest files, one per format, that the mutants are made from."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import soundfile

RATE = 44100
DURATION_S = 3.0
FORMATS = ("wav", "flac", "ogg", "mp3", "m4a", "stem.mp4")


def sound(seed: int) -> np.ndarray:
    """Return (samples, 2) of a decaying chord with noise, the same for the same seed."""
    random = np.random.default_rng(seed)
    time_s = np.arange(round(DURATION_S * RATE)) / RATE
    chord = sum(np.sin(2 * np.pi * hz * time_s) for hz in 110 * 2 ** random.uniform(0, 3, 3))
    wave = 0.1 * chord * np.exp(-4 * (time_s % 0.5))
    return np.stack([wave, wave], axis=1) + random.normal(0, 0.02, (len(time_s), 2))


def originals(folder: Path) -> dict[str, bytes]:
    """Return format → bytes of an honest file; M4A and stem.mp4 are made by ffmpeg."""
    for suffix in ("wav", "flac", "ogg", "mp3"):
        soundfile.write(folder / f"a.{suffix}", sound(0), RATE)
    for number in range(5):
        soundfile.write(folder / f"{number}.wav", sound(number), RATE)
    _ffmpeg(folder, "a.m4a", 1)
    _ffmpeg(folder, "a.stem.mp4", 5)
    return {suffix: (folder / f"a.{suffix}").read_bytes() for suffix in FORMATS}


def _ffmpeg(folder: Path, name: str, streams: int) -> None:
    inputs = [a for number in range(streams) for a in ("-i", str(folder / f"{number}.wav"))]
    maps = [a for number in range(streams) for a in ("-map", f"{number}:a")]
    exact = ["-fflags", "+bitexact", "-flags:a", "+bitexact", "-map_metadata", "-1"]
    how = ["-c:a", "aac", "-b:a", "96k", "-movflags", "+faststart", *exact]
    command = ["ffmpeg", "-v", "error", "-y", *inputs, *maps, *how, str(folder / name)]
    subprocess.run(command, check=True)
