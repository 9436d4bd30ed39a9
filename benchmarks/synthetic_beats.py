"""Libraries of any number of songs in beat time, from the sides of a real one.

A song takes the bars of one real clip, vocal and music alike, in runs of four in random order, as
long as a song is; onsets and pitches are multiplied by log-normal noise, different in every beat.
Tempi and keys are drawn. There is no sound: the features lie on disk where BeatStore looks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mashnet.audio.beat_features import BeatFeatures
from mashnet.data.mashupdb import MashupDB
from mashnet.data.phrases.beat_store import BeatStore, Side, SideInBeats, packed
from mashnet.data.phrases.pairs import music_side, vocal_side
from mashnet.data.roles import ACCOMPANIMENT, VOCAL
from mashnet.files import content_id

BARS = 68  # of a song: 61 phrases of 8 bars, which makes six million of 100,000 songs
RUN = 4  # bars that stay together
NOISE = 0.5  # standard deviation of the logarithm
METRE = 4

RealClip = tuple[SideInBeats, SideInBeats]  # vocal and music


def real_clips(library: str | Path) -> list[RealClip]:
    """Return the clips of a library in which a vocal and music sound in whole bars of 4 beats."""
    database = MashupDB.open(library)
    store = BeatStore(database)
    sides: dict[str, tuple[Side, Side]] = {}
    for clip_id in database.clip_rows:
        bars, vocal = store.bars(clip_id), vocal_side(database, clip_id)
        music = music_side(database, clip_id)
        if vocal and music and bars and bars.beats_per_bar == METRE and len(bars.phrases(8)):
            sides[clip_id] = vocal, music
    found = store.read(side for pair in sides.values() for side in pair)
    return [(found[v], found[m]) for v, m in sides.values() if v in found and m in found]


def synthetic_song(clips: Sequence[RealClip], number: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of a song's vocal and of its music, as BeatStore keeps them."""
    random = np.random.default_rng(number)
    pair = clips[number % len(clips)]
    runs = np.lib.stride_tricks.sliding_window_view(pair[0].whole & pair[1].whole, RUN)
    starts = random.choice(np.flatnonzero(runs.all(axis=1)), BARS // RUN)
    bars = (starts[:, None] + np.arange(RUN)).ravel()

    def noisy(x: torch.Tensor) -> torch.Tensor:
        noise = random.standard_normal(x.shape, np.float32)
        return x * torch.from_numpy(np.exp(NOISE * noise))

    rows = []
    for side in pair:
        f = side.features[torch.from_numpy(bars)]
        moved = BeatFeatures(noisy(f.onsets), noisy(f.pitches), f.level, f.brightness)
        rows.append(packed(SideInBeats(np.ones(len(bars), bool), moved)))
    return rows[0], rows[1]


class SyntheticStore(BeatStore):
    """A BeatStore whose sides are made up where they do not lie on disk yet."""

    def __init__(self, database: MashupDB, clips: Sequence[RealClip]) -> None:
        """Take what songs are made of."""
        super().__init__(database)
        self._clips = clips

    def _encoded(self, sides: Sequence[Side], executor: Any) -> Iterator[np.ndarray | None]:
        for side in sides:
            role, number = side.stem_ids[0].split("-")
            yield synthetic_song(self._clips, int(number))[role != VOCAL]


def synthetic_beats(root: Path, songs: int) -> MashupDB:
    """Write the tables of a library of songs in 4/4 without sound."""
    random = np.random.default_rng(songs)
    clips, stems = [], []
    for number in range(songs):
        clip_id, tempo_bpm = content_id("clip", number), float(random.uniform(75, 160))
        beats = 0.2 + 60 / tempo_bpm * np.arange(METRE * BARS + 1)
        clips.append(
            {
                "clip_id": clip_id,
                "song_id": content_id("song", number),
                "title": f"Song {number}",
                "artist": f"Artist {number}",
                "source": "synthetic",
                "license": "CC0-1.0",
                "duration_s": float(beats[-1] + 0.2),
                "sample_rate": 16_000,
                "tempo_bpm": tempo_bpm,
                "beats": beats.tolist(),
                "downbeats": beats[::METRE].tolist(),
                "beats_per_bar": METRE,
                "key_tonic": int(random.integers(12)),
                "key_mode": "minor" if random.random() < 0.5 else "major",
                "key_confidence": 1.0,
                "section": "",
                "split": "train",
            }
        )
        for role in (VOCAL, ACCOMPANIMENT):
            stems.append(
                {
                    "clip_id": clip_id,
                    "stem_id": f"{role}-{number}",
                    "role": role,
                    "label": role,
                    "path": f"audio/{role}-{number}.flac",
                    "rms_db": -20.0,
                    "active_ratio": 1.0,
                }
            )
    database = MashupDB(root)
    database.write_table("clips", clips)
    database.write_table("stems", stems)
    database.update_manifest(counts={"clips": songs, "stems": len(stems)})
    return MashupDB.open(root)
