"""Databases of stems whose sound is told sample by sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mashnet.audio.io import write_flac
from mashnet.data.mashupdb import MashupDB

RATE = 16_000


@dataclass(frozen=True)
class Clip:
    """What a test says of a clip: label → samples (samples,) or (channels, samples)."""

    song: str
    stems: Sequence[tuple[str, np.ndarray]]
    split: str = "train"
    sample_rate: int = RATE


def noise(seed: int, seconds: float, *, level: float = 0.1, rate: int = RATE) -> np.ndarray:
    """White noise, (samples,)."""
    samples = np.random.default_rng(seed).uniform(-1, 1, round(seconds * rate))
    return (level * samples).astype(np.float32)


def tone(
    hertz: float, seconds: float, *, pulses_hz: float = 2.0, level: float = 0.3, rate: int = RATE
) -> np.ndarray:
    """A tone that is struck again and again, (samples,)."""
    time_s = np.arange(round(seconds * rate)) / rate
    decay = np.exp(-4 * (time_s * pulses_hz % 1.0))
    return (level * np.sin(2 * np.pi * hertz * time_s) * decay).astype(np.float32)


def stem_database(root: Path, clips: Sequence[Clip]) -> MashupDB:
    """Write a database; stems are called <clip>-<number of stem>, clips by their number."""
    database = MashupDB(root)
    clip_rows, stem_rows = [], []
    for number, clip in enumerate(clips):
        clip_id = f"{number:03d}"
        lengths = [stem.shape[-1] for _, stem in clip.stems]
        clip_rows.append(
            {
                "clip_id": clip_id,
                "song_id": clip.song,
                "title": f"Title {number}",
                "artist": "A",
                "source": "test",
                "license": "CC0-1.0",
                "duration_s": max(lengths, default=0) / clip.sample_rate,
                "sample_rate": clip.sample_rate,
                "split": clip.split,
            }
        )
        for index, (label, samples) in enumerate(clip.stems):
            path = f"audio/{clip_id}/{index}.flac"
            write_flac(root / path, np.atleast_2d(samples), clip.sample_rate)
            stem_rows.append(
                {
                    "clip_id": clip_id,
                    "stem_id": f"{clip_id}-{index:02d}",
                    "role": "",
                    "label": label,
                    "path": path,
                    "rms_db": -20.0,
                    "active_ratio": 1.0,
                }
            )
    database.write_table("clips", clip_rows)
    database.write_table("stems", stem_rows)
    database.update_manifest()
    return database


def band(seed: int, seconds: float = 12.0) -> list[tuple[str, np.ndarray]]:
    """Three stems with two tones each; which go together is told by the seed alone."""
    random = np.random.default_rng(seed)
    stems = []
    for label, low_hz in (("bass", 80), ("guitar/electric guitar", 400), ("vocals", 2000)):
        tones = [
            tone(hertz, seconds, pulses_hz=random.uniform(1.0, 4.0))
            for hertz in low_hz * 5 ** random.uniform(0, 1, 2)
        ]
        stems.append((label, (tones[0] + tones[1]) / 2))
    return stems
