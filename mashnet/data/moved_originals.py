"""Unmatched examples made of originals while training: the same music, one role moved.

Not in the paper, whose 33,192 clips give mixes enough. On a few hundred a network learns the songs
by heart; an original with one role moved sounds like its song and still does not fit, so only the
fit tells the two apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mashnet.data.features import FeatureStore
from mashnet.data.mashupdb import ROLES

MOST_FRAMES = 22  # largest move in time, about a second as in the paper's unmatched_tempo
OFF_BEAT_FRAMES = 2.0  # a move nearer to a beat than this could still sound in time


@dataclass(frozen=True)
class MixItem:
    """One mix: what each input of the network is called in the feature store, and the label."""

    features: Mapping[str, str]  # input or role name → feature_id
    label: int
    song: str = ""  # of the vocal: originals that share it are the same music, moved differently
    beat_frames: float = 0.0  # of the vocal, in the mix


class MovedOriginals:
    """Draws originals with one role moved in time, in key and tempo, or to another song."""

    def __init__(self, originals: Sequence[MixItem]) -> None:
        """Take the originals of the training split."""
        self.originals = list(originals)
        self.by_song: dict[str, list[MixItem]] = {}
        for item in originals:
            self.by_song.setdefault(item.song, []).append(item)

    def __bool__(self) -> bool:
        """Return whether there is anything to draw."""
        return bool(self.originals)

    def draw(
        self, random: np.random.Generator, store: FeatureStore, length: int
    ) -> dict[str, tuple[np.ndarray, int]]:
        """Return role → (log-mel, start frame) of windows of `length` frames that do not fit."""
        item = self.originals[random.integers(len(self.originals))]
        moved = str(random.choice(ROLES))
        mels = {role: store.open(item.features[role]) for role in ROLES}
        frames = min(mel.shape[0] for mel in mels.values())
        room = max(1, frames - length - 2 * MOST_FRAMES)
        start = MOST_FRAMES + int(random.integers(room))
        cuts = {role: (mel, start) for role, mel in mels.items()}
        # The same music at another pitch and tempo; only artefact control renders several.
        versions = [other for other in self.by_song[item.song] if other is not item]
        kind = random.choice(["time", "version", "song"])
        if kind == "version" and versions and moved != "percussion":
            other = versions[random.integers(len(versions))]
            cuts[moved] = (store.open(other.features[moved]), start)
        elif kind == "song" and len(self.by_song) > 1:
            songs = [song for song in self.by_song if song != item.song]
            pool = self.by_song[songs[random.integers(len(songs))]]
            mel = store.open(pool[random.integers(len(pool))].features[moved])
            cuts[moved] = (mel, int(random.integers(max(1, mel.shape[0] - length))))
        else:
            cuts[moved] = (mels[moved], start + self._off_beat_frames(random, item.beat_frames))
        return cuts

    @staticmethod
    def _off_beat_frames(random: np.random.Generator, beat_frames: float) -> int:
        """Return a move in time that does not land near a beat."""
        for _ in range(100):
            frames = int(random.integers(-MOST_FRAMES, MOST_FRAMES + 1))
            away = abs(frames - round(frames / beat_frames) * beat_frames) if beat_frames else 9.0
            if away > OFF_BEAT_FRAMES and abs(frames) > OFF_BEAT_FRAMES:
                return frames
        return MOST_FRAMES // 2
