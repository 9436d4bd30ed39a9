"""Partners of a vocal: the clips of its split that may fill a role beside it, in a fixed order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from data_pipelines.mixes.clips import Limits, MixClip
from mashnet.data.mashupdb import ROLES
from mashnet.data.mixes.recipes import IN_KEY, IN_TIME, LEAD_IN_S
from mashnet.files import content_id

MOST_PAIRS = 256  # of a harmonic and a percussion clip, tried for one condition


class Pool:
    """The clips of one split, as arrays, so that partners are found without a Python loop."""

    def __init__(self, clips: Sequence[MixClip]) -> None:
        """Take clips of one split."""
        self.clips = list(clips)
        self.hashes = np.array([int(content_id(c.clip_id), 16) for c in clips], dtype=np.uint64)
        self.songs = np.array([c.song_id for c in clips])
        self.tempos_bpm = np.array([c.tempo_bpm for c in clips])
        self.metres = np.array([c.beats_per_bar for c in clips])
        self.lengths_s = np.array([c.sounds_for_s(1.0) for c in clips])
        self.tonics = np.array([c.key.relative_major_tonic for c in clips])
        self.has = {role: np.array([role in c.stems for c in clips]) for role in ROLES}

    def partners(
        self, vocal: MixClip, role: str, condition: str, limits: Limits, seed: int
    ) -> list[int]:
        """Return clips that may fill a role beside a vocal, in the order of their hashes.

        No more than can be tried (`MOST_PAIRS`): in a large library nearly all others may.
        """
        fits = self.has[role] & (self.songs != vocal.song_id)
        ratios = np.ones(len(self.clips))
        if condition in IN_TIME:
            ratios = vocal.tempo_bpm / self.tempos_bpm
            fits &= (ratios >= limits.min_ratio) & (ratios <= limits.max_ratio)
            fits &= self.metres == vocal.beats_per_bar
        if role == "harmonic":
            up = (vocal.key.relative_major_tonic - self.tonics) % 12
            distances = np.minimum(up, 12 - up)
            fits &= distances <= limits.max_semitones if condition in IN_KEY else distances > 0
        fits &= self.lengths_s / ratios - LEAD_IN_S >= limits.min_s
        salt = np.uint64(int(content_id("partners", seed, vocal.clip_id, condition, role), 16))
        found = np.flatnonzero(fits)
        ranks = _scramble(self.hashes[found] ^ salt)
        if len(found) > MOST_PAIRS:
            first = np.argpartition(ranks, MOST_PAIRS)[:MOST_PAIRS]
            found, ranks = found[first], ranks[first]
        return found[np.argsort(ranks)].tolist()


def _scramble(values: np.ndarray) -> np.ndarray:
    """Return 64-bit integers that look random, the same for the same input (as in SplitMix64)."""
    with np.errstate(over="ignore"):
        values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
