"""How a loop that fits is replaced by one that does not: five strategies, drawn from a seed.

Neural Loop Combiner (Chen et al., ISMIR 2020), section 3.2. Between songs: *random*, a loop of
another song; *selected*, the same without pure drum and bass loops. Within a song: *reverse*;
*shift* by one to three of four beats, cyclically; *rearrange*, the beats in another order.

A negative that sounds like the positive it replaces would be a lie. So a change that leaves a loop
as it was (a steady beat, shifted; a pad, reversed) is refused, and no loop is taken from a song
that has one loop in common with the pair's own song: it is the same song, or quotes it.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from data_pipelines.negatives.near_hashes import NearHashes
from mashnet.audio.spectrogram import FLOOR_DB
from mashnet.data.loops.loops import BEATS, DUPLICATE_BITS, LOOP_SAMPLES
from mashnet.files import content_id

SAME_DB = 2.0  # levels that differ by less on average are of the same sound
DUPLICATE_DB = 6.0  # loops of two songs that differ by less are the same sample or phrase
HEARD_DB = 40.0  # below the loudest field: the rest is masked and not compared

_ORDERS = tuple(itertools.permutations(range(BEATS)))[1:]  # the identity comes first
_SHIFTS = {k: tuple((beat + k) % BEATS for beat in range(BEATS)) for k in range(1, BEATS)}

Row = dict[str, Any]


@dataclass(frozen=True)
class Sound:
    """What a loop sounds like, as far as its changes are concerned."""

    log_mel: np.ndarray  # (frames, mels), from 0 (silence) to 1 (full scale)

    @cached_property
    def beats_apart_db(self) -> np.ndarray:
        """How far two beats are apart, (4, 4): mean difference in dB of what is heard."""
        frames_per_beat = LOOP_SAMPLES / BEATS / 512
        length = int(frames_per_beat)
        starts = [round(beat * frames_per_beat) for beat in range(BEATS)]
        beats = [self.log_mel[start : start + length] for start in starts]
        return np.array([[_apart_db(one, other) for other in beats] for one in beats])

    def survives(self, order: Sequence[int]) -> bool:
        """Return whether it sounds the same with its beats in that order."""
        apart = [self.beats_apart_db[beat, place] for place, beat in enumerate(order)]
        return bool(np.mean(apart) < SAME_DB)

    def apart_db(self, other: Sound) -> float:
        """Return how far another loop is apart, whatever the level of either: mean dB."""
        own, theirs = (mel - mel.max() + 1 for mel in (self.log_mel, other.log_mel))
        return _apart_db(own.clip(0), theirs.clip(0))

    @cached_property
    def is_palindrome(self) -> bool:
        """Whether it sounds the same backwards."""
        return _apart_db(self.log_mel, self.log_mel[::-1]) < SAME_DB


def _apart_db(one: np.ndarray, other: np.ndarray) -> float:
    level = np.maximum(one, other)
    sounding = level > max(level.max() + HEARD_DB / FLOOR_DB, 0.0)
    if not sounding.any():
        return 0.0
    return float(np.abs(one - other)[sounding].mean() * -FLOOR_DB)


@dataclass(frozen=True)
class Pool:
    """The loops of one split, as arrays."""

    loops: list[Row]  # rows of loops.parquet
    sounds: Mapping[str, Sound]  # by loop_id

    @cached_property
    def rows(self) -> dict[str, Row]:
        """Rows by loop_id."""
        return {row["loop_id"]: row for row in self.loops}

    @cached_property
    def _of_song(self) -> dict[str, list[int]]:
        """Song → indices of its loops."""
        found: dict[str, list[int]] = {}
        for index, row in enumerate(self.loops):
            found.setdefault(row["song_id"], []).append(index)
        return found

    @cached_property
    def _near(self) -> NearHashes:
        hashes = np.array([int(row["hash"], 16) for row in self.loops], dtype=np.uint64)
        return NearHashes(hashes, fewer_than=DUPLICATE_BITS)

    @cached_property
    def _drawable(self) -> dict[bool, tuple[np.ndarray, np.ndarray]]:
        """Whether drum and bass loops are left out → the rest, each loop's place in it or −1."""
        harmonic = np.array([row["kind"] == "harmonic" for row in self.loops], bool)
        masks = {True: harmonic, False: np.ones(len(self.loops), bool)}
        return {
            only: (np.flatnonzero(mask), np.where(mask, np.cumsum(mask) - 1, -1))
            for only, mask in masks.items()
        }

    @cached_property
    def _related(self) -> dict[str, np.ndarray]:
        """Song → loops of it and of the songs that share one with it; filled when asked for."""
        return {}

    def _loops_of_related(self, song: str) -> np.ndarray:
        """Return the indices of the loops of a song and of those that share one with it, rising."""
        if song not in self._related:
            songs = {song}
            for own in self._of_song[song]:
                # The hash is coarse: it finds whom to listen to.
                for other in self._near.to(own):
                    theirs = self.loops[other]["song_id"]
                    if theirs not in songs and self._is_duplicate(own, other):
                        songs.add(theirs)
            self._related[song] = np.sort(np.concatenate([self._of_song[one] for one in songs]))
        return self._related[song]

    def _is_duplicate(self, one: int, other: int) -> bool:
        first, second = (self.sounds[self.loops[index]["loop_id"]] for index in (one, other))
        return first.apart_db(second) < DUPLICATE_DB

    def stranger(self, song: str, random: np.random.Generator, *, harmonic: bool) -> Row | None:
        """Draw a loop of a song that is unrelated; None if there is none.

        Args:
            song: whose loop is replaced.
            random: draws.
            harmonic: no drum or bass loops.
        """
        loops, place_of = self._drawable[harmonic]
        places = place_of[self._loops_of_related(song)]
        places = places[places >= 0]
        left = len(loops) - len(places)
        if not left:
            return None
        drawn = int(random.integers(left))
        # The drawn-th of those that are left: what is left out before it is passed over.
        drawn += int(np.searchsorted(places - np.arange(len(places)), drawn, side="right"))
        return self.loops[loops[drawn]]


def draw_negative(pair: Row, strategy: str, pool: Pool, *, seed: int) -> Row | str:
    """Return a negative for a pair that fits, as a row of pairs.parquet, or why there is none.

    Which of its loops stays is drawn; where the other cannot be changed, the roles are swapped.

    Args:
        pair: a row of pairs.parquet, label 1.
        strategy: one of `mashnet.data.loops.loops.STRATEGIES`.
        pool: the loops of the pair's split.
        seed: the same seed gives the same negative, whatever else is drawn.
    """
    digest = content_id("negative", seed, pair["pair_id"], strategy)
    random = np.random.default_rng(int(digest, 16))
    ends = [pair["loop_a"], pair["loop_b"]]
    if random.random() < 0.5:
        ends.reverse()
    reasons = []
    for kept, replaced in (ends, ends[::-1]):
        found = _replacement(replaced, strategy, pool, random)
        if isinstance(found, str):
            reasons.append(found)
            continue
        loop_b, params = found
        text = json.dumps(params)
        return {
            "pair_id": content_id(pair["pair_id"], kept, loop_b, strategy, text),
            "loop_a": kept,
            "loop_b": loop_b,
            "label": 0,
            "strategy": strategy,
            "params": text,
            "split": pair["split"],
        }
    return reasons[0] if reasons[0] == reasons[1] else "; ".join(reasons)


def _replacement(
    loop_id: str, strategy: str, pool: Pool, random: np.random.Generator
) -> tuple[str, Row] | str:
    """Return which loop comes in another's place, and how it is changed; or why none can."""
    sound = pool.sounds[loop_id]
    if strategy in ("random", "selected"):
        song = pool.rows[loop_id]["song_id"]
        stranger = pool.stranger(song, random, harmonic=strategy == "selected")
        if stranger is None:
            kind = "harmonic loop" if strategy == "selected" else "loop"
            return f"there is no {kind} of another song in this split"
        return stranger["loop_id"], {}
    if strategy == "reverse":
        return (
            "both loops sound the same backwards"
            if sound.is_palindrome
            else (
                loop_id,
                {"reverse": True},
            )
        )
    if strategy == "shift":
        shifts = [k for k, order in _SHIFTS.items() if not sound.survives(order)]
        if not shifts:
            return "both loops sound the same when shifted by beats"
        return loop_id, {"shift": int(random.choice(shifts))}
    orders = [order for order in _ORDERS if not sound.survives(order)]
    if not orders:
        return "both loops sound the same in any order of beats"
    return loop_id, {"order": [int(beat) for beat in random.choice(orders)]}
