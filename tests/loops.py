"""Loops made by arithmetic, and a database of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mashnet.audio.io import write_flac
from mashnet.data.loops.loops import (
    BEAT_SAMPLES,
    LOOP_SAMPLES,
    SAMPLE_RATE,
    average_hash,
    log_mel_of,
)
from mashnet.data.mashupdb import MashupDB
from mashnet.files import content_id


def beats(seed: int) -> np.ndarray:
    """A decaying tone on each beat, every beat at another pitch and level, shape (88200,)."""
    random = np.random.default_rng(seed)
    time_s = np.arange(BEAT_SAMPLES) / SAMPLE_RATE
    tones = [
        level * np.exp(-6 * time_s) * np.sin(2 * np.pi * hertz * time_s)
        for hertz, level in zip(random.uniform(100, 6000, 4), [0.8, 0.1, 0.4, 0.02], strict=True)
    ]
    return np.concatenate([tones[place] for place in random.permutation(4)]).astype(np.float32)


def steady(seed: int) -> np.ndarray:
    """A buzz that never changes: no order of its beats, nor its reverse, sounds different."""
    time_s = np.arange(LOOP_SAMPLES) / SAMPLE_RATE
    overtones = np.arange(1, 60) * (100.0 + 50 * seed)
    return (0.02 * np.cos(2 * np.pi * overtones[:, None] * time_s).sum(0)).astype(np.float32)


def loop_database(root: Path, sounds: list[tuple[str, str, str, np.ndarray]]) -> MashupDB:
    """Write a database of loops, given as (song, split, kind, samples).

    The first loop of a song is paired with each other one.
    """
    database = MashupDB(root)
    rows, firsts, pairs = [], {}, []
    for number, (song, split, kind, samples) in enumerate(sounds):
        path = f"audio/loops/{number}.flac"
        write_flac(root / path, samples[None], SAMPLE_RATE)
        row = {
            "loop_id": f"loop{number}", "clip_id": song, "bar": 0, "kind": kind, "path": path,
            "snr_db": 3.0, "split": split, "song_id": song, "layout": [1.0], "bar_s": 2.0,
            "hash": average_hash(log_mel_of(samples)),
        }  # fmt: skip
        rows.append(row)
        if song in firsts:
            ends = [firsts[song], row["loop_id"]]
            pair = {
                "pair_id": content_id(*ends),
                "loop_a": ends[0],
                "loop_b": ends[1],
                "label": 1,
                "strategy": "together",
                "params": "{}",
                "split": split,
            }
            pairs.append(pair)
        firsts.setdefault(song, row["loop_id"])
    database.write_table("loops", rows)
    database.write_table("pairs", pairs)
    database.update_manifest()
    return database


def songs(split: str, count: int, *, loops: int = 3, first: int = 0):
    """Return loops of some songs for `loop_database`; every one sounds different."""
    kinds = ("drum", "harmonic", "bass")
    return [
        (f"{split}-{song}", split, kinds[loop % 3], beats(1000 * (first + song) + loop))
        for song in range(count)
        for loop in range(loops)
    ]
