"""One piece → the excerpt that is heard: its middle, as loud as the others, and nameless."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mashnet.audio.io import read_audio, read_blocks, write_flac
from mashnet.audio.limiter import master
from mashnet.audio.loudness import integrated_lufs, step_powers
from mashnet.errors import AudioError

SAMPLE_RATE = 44100
SHORTEST_S = 5.0
FADE_S = 0.05
_BLOCK_S = 60
TARGET_LUFS = -23.0  # EBU R 128: leaves even very uneven music room below full scale


@dataclass(frozen=True)
class Excerpt:
    """A stretch of a piece, ready to be heard.

    Attributes:
        audio: shape (2, samples) at 44.1 kHz.
        start_s: where in the piece it begins.
        gain_db: what it was raised by.
    """

    audio: np.ndarray
    start_s: float
    gain_db: float

    @property
    def duration_s(self) -> float:
        """Its length in seconds."""
        return self.audio.shape[1] / SAMPLE_RATE


def excerpt_of(path: Path, *, excerpt_s: float) -> Excerpt:
    """Cut the middle out of a piece and bring it to the loudness that all excerpts have.

    Systems that differ in one step give pieces of one length: the middle is the same stretch of
    all of them. Every excerpt has two channels and one sample rate, since a listener who hears
    which files are mono may learn which system made them.

    Args:
        path: any sound file.
        excerpt_s: the length; a shorter piece is taken whole.

    Raises:
        AudioError: if it cannot be decoded, is shorter than 5 s, or silent.
    """
    duration_s = _duration_s(path)
    if duration_s < SHORTEST_S:
        raise AudioError(
            f"{path}: is only {duration_s:.1f} s long, at least {SHORTEST_S:.0f} s needed"
        )
    start_s = max(0.0, (duration_s - excerpt_s) / 2)
    cut, _ = read_audio(path, sample_rate=SAMPLE_RATE, start_s=start_s, duration_s=excerpt_s)
    if cut.shape[0] != 2:
        cut = np.repeat(cut.mean(axis=0, keepdims=True), 2, axis=0)
    cut = np.array(cut, dtype=np.float32)
    fade = np.sin(np.linspace(0, np.pi / 2, round(FADE_S * SAMPLE_RATE), dtype=np.float32)) ** 2
    cut[:, : len(fade)] *= fade
    cut[:, -len(fade) :] *= fade[::-1]
    loudness = integrated_lufs(step_powers(cut, SAMPLE_RATE))
    if not np.isfinite(loudness):
        raise AudioError(f"{path}: its middle is silent")
    gain_db = TARGET_LUFS - loudness
    cut *= 10 ** (gain_db / 20)
    master(cut, SAMPLE_RATE, target_lufs=TARGET_LUFS)  # changes nothing unless peaks are too high
    return Excerpt(cut, start_s, gain_db)


def _duration_s(path: Path) -> float:
    """Return how long a file really is; decoded block by block to save memory."""
    blocks = read_blocks(path, sample_rate=SAMPLE_RATE, block_s=_BLOCK_S)
    return sum(block.shape[1] for block in blocks) / SAMPLE_RATE


def write_excerpt(path: Path, excerpt: Excerpt) -> None:
    """Write it as 16-bit FLAC without tags, dated 1970: servers tell browsers a file's age.

    Raises:
        OSError: if it cannot be written there.
    """
    write_flac(path, excerpt.audio, SAMPLE_RATE)
    os.utime(path, (0, 0))
