"""Libraries of songs in beat time without sound, for tests of what judges phrases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mashnet.audio.beat_features import (
    BANDS,
    MOMENTS,
    PITCH_MOMENTS,
    PITCHES,
    BeatFeatures,
)
from mashnet.data.mashupdb import MashupDB
from mashnet.data.phrases.beat_store import BeatStore, Side, SideInBeats, packed
from mashnet.files import content_id


class DrawnStore(BeatStore):
    """Sides are drawn at random, by their stems; it says how many it was asked for."""

    def __init__(self, database: MashupDB, silent: Sequence[str] = ()) -> None:
        super().__init__(database)
        self.silent = silent
        self.drawn = 0

    def _encoded(self, sides: Sequence[Side], executor: Any) -> Iterator[np.ndarray | None]:
        for side in sides:
            self.drawn += 1
            bars = self.bars(side.clip_id)
            assert bars is not None
            random = np.random.default_rng(list("".join(side.stem_ids).encode()))
            shape = (len(bars.whole), bars.beats_per_bar)

            def draw(*more: int, shape=shape, random=random) -> torch.Tensor:
                return torch.from_numpy(random.random((*shape, *more), np.float32))

            level = -draw()
            if side.clip_id in self.silent:
                level -= 2 * (torch.arange(shape[0])[:, None] < shape[0] // 2)
            features = BeatFeatures(
                draw(MOMENTS, BANDS), draw(PITCH_MOMENTS, PITCHES), level, draw()
            )
            yield packed(SideInBeats(bars.whole, features))


class BeatsDB:
    """Collects songs, then writes them as a MashupDB without sound."""

    def __init__(self, root: Path) -> None:
        self.database = MashupDB(root)
        self.clips: list[dict] = []
        self.stems: list[dict] = []

    def add(
        self,
        *,
        bars: int = 10,
        tempo_bpm: float = 120.0,
        tonic: int = 0,
        beats_per_bar: int = 4,
        roles: Sequence[str] = ("vocal", "accompaniment"),
        **changed: object,
    ) -> str:
        """Add a song of one clip; return the clip's id."""
        number = len(self.clips)
        clip_id = content_id("drawn", number)
        beats = 0.5 + 60 / tempo_bpm * np.arange(bars * beats_per_bar + 1)
        self.clips.append(
            {
                "clip_id": clip_id,
                "song_id": content_id("drawn song", number),
                "title": f"Song {number}",
                "artist": "Nobody",
                "source": "test",
                "license": "CC0-1.0",
                "duration_s": float(beats[-1] + 0.1),
                "sample_rate": 16_000,
                "tempo_bpm": tempo_bpm,
                "beats": beats.tolist(),
                "downbeats": beats[::beats_per_bar].tolist(),
                "beats_per_bar": beats_per_bar,
                "key_tonic": tonic,
                "key_mode": "major",
                "key_confidence": 1.0,
                "section": "",
                "split": "train",
                **changed,
            }
        )
        for role in roles:
            self.stems.append(
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
        return clip_id

    def write(self) -> MashupDB:
        """Write the tables."""
        self.database.write_table("clips", self.clips)
        self.database.write_table("stems", self.stems)
        self.database.update_manifest(counts={"clips": len(self.clips)})
        return self.database
