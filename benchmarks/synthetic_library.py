"""MashupDBs of any number of songs: rows like those of real ones, beside one second of sound.

All stems share a few short files. What is measured on them reads tables and lists things.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np

from mashnet.audio.io import write_flac
from mashnet.data.mashupdb import ROLES, MashupDB
from mashnet.data.splits import split_of
from mashnet.files import content_id

RATE = 16_000
SOUND_S = 3.0
LOOPS_PER_SONG = 6
CLIP_S = 45.0


def synthetic_library(root: Path, songs: int) -> MashupDB:
    """Write clips, stems, loops and pairs of loops that fit; return the database."""
    random = np.random.default_rng(songs)
    database = MashupDB(root)
    for role in ROLES:
        sound = 0.1 * random.standard_normal((1, round(SOUND_S * RATE)))
        write_flac(root / f"audio/{role}.flac", sound.astype(np.float32), RATE)
    write_flac(root / "audio/loop.flac", np.float32(0.1) * _noise(random, 2 * 44_100), 44_100)
    clips, stems, loops, pairs = [], [], [], []
    for number in range(songs):
        clip_id, song_id = content_id("clip", number), content_id("song", number)
        # Every fifth is for validation, so that the smallest library has both splits.
        split = "val" if number % 5 == 4 else "train"
        tempo_bpm = float(random.uniform(80, 150))
        beats = np.arange(0.2, CLIP_S, 60 / tempo_bpm)
        clips.append(
            {
                "clip_id": clip_id,
                "song_id": song_id,
                "title": f"Song {number}",
                "artist": f"Artist {number // 3}",
                "source": "synthetic",
                "license": "CC0-1.0",
                "duration_s": CLIP_S,
                "sample_rate": RATE,
                "tempo_bpm": tempo_bpm,
                "beats": beats.tolist(),
                "downbeats": beats[::4].tolist(),
                "beats_per_bar": 4,
                "key_tonic": int(random.integers(12)),
                "key_mode": "minor" if random.random() < 0.5 else "major",
                "key_confidence": 1.0,
                "section": "",
                "split": split,
            }
        )
        for role in ROLES:
            stems.append(
                {
                    "clip_id": clip_id,
                    "stem_id": content_id("stem", number, role),
                    "role": role,
                    "label": role,
                    "path": f"audio/{role}.flac",
                    "rms_db": -20.0,
                    "active_ratio": 1.0,
                }
            )
        owner = {"clip_id": clip_id, "song_id": song_id, "split": split}
        of_song = [content_id("loop", number, index) for index in range(LOOPS_PER_SONG)]
        for index, loop_id in enumerate(of_song):
            loops.append(
                {
                    **owner,
                    "loop_id": loop_id,
                    "bar": index,
                    "kind": ("drum", "bass", "harmonic")[index % 3],
                    "path": "audio/loop.flac",
                    "snr_db": 10.0,
                    "hash": f"{random.integers(2**64, dtype=np.uint64):016x}",
                    "layout": [1.0] * 16,
                    "bar_s": 2.0,
                }
            )
        for one, other in itertools.pairwise(of_song):
            pairs.append(
                {
                    "pair_id": content_id(one, other, "together"),
                    "loop_a": one,
                    "loop_b": other,
                    "label": 1,
                    "strategy": "together",
                    "params": "{}",
                    "split": split,
                }
            )
    database.write_table("clips", clips)
    database.write_table("stems", stems)
    database.write_table("loops", loops)
    database.write_table("pairs", pairs)
    database.update_manifest(counts={"clips": songs, "stems": len(stems)})
    return database


def split_songs(songs: int) -> int:
    """Split songs by their groups, as a source does; return how many are for training."""
    return sum(split_of(f"artist {number // 3}") == "train" for number in range(songs))


def _noise(random: np.random.Generator, samples: int) -> np.ndarray:
    return random.standard_normal((1, samples)).astype(np.float32)
