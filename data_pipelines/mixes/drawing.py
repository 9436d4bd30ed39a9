"""Draws recipes for one vocal after the other (Huang et al., AAAI 2021, section 3).

Partners are taken in the order of a hash of vocal, condition and partner, so a song that is added
changes a draw only where it comes first itself, and the same database gives the same recipes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from mashnet.data.mashupdb import ROLES, MashupDB
from mashnet.data.mixes.recipes import IN_KEY, IN_TIME, LEAD_IN_S, Recipe, Stretch
from mashnet.data.schemas import CONDITIONS
from mashnet.errors import DatabaseError
from mashnet.files import content_id
from mashnet.music.keys import Key, shift_to_fit

OFF_BEAT_S = 0.05  # an offset nearer to a beat than this could still sound in time
COMMON_SEMITONES = (-3, -2, -1, 1, 2, 3)
COMMON_RATIOS = (0.9, 1.1)  # drawn uniformly in between
# Partners that leave this share of the vocal's length are preferred to shorter ones.
_LONG = 0.9
_MOST_PAIRS = 256  # of a harmonic and a percussion clip, tried for one condition


@dataclass(frozen=True)
class MixClip:
    """What a clip can bring to a mix."""

    clip_id: str
    song_id: str
    split: str
    key: Key
    tempo_bpm: float
    beats_per_bar: int
    first_downbeat_s: float
    duration_s: float
    stems: Mapping[str, tuple[str, ...]]  # role → stem_ids

    def sounds_for_s(self, ratio: float) -> float:
        """Return how long it sounds after its first downbeat at `ratio` times its tempo."""
        return (self.duration_s - self.first_downbeat_s) / ratio


@dataclass(frozen=True)
class Limits:
    """How far stems may be moved, and how long a mix is."""

    max_semitones: int
    min_ratio: float
    max_ratio: float
    min_s: float
    max_s: float


def usable_clips(database: MashupDB, limits: Limits) -> tuple[list[MixClip], Counter[str]]:
    """Return the clips that mixes can be made of, and how many lack what."""
    by_clip: dict[str, dict[str, list[str]]] = {}
    for row in database.stems.sort("stem_id").iter_rows(named=True):
        by_clip.setdefault(row["clip_id"], {}).setdefault(row["role"], []).append(row["stem_id"])
    clips, lacking = [], Counter[str]()
    for row in database.clips.sort("clip_id").iter_rows(named=True):
        stems = {r: tuple(ids) for r, ids in by_clip.get(row["clip_id"], {}).items() if r in ROLES}
        if not row["downbeats"] or not row["tempo_bpm"]:
            lacking["beats"] += 1
        elif row["key_tonic"] is None or row["key_mode"] is None:
            lacking["a key"] += 1
        elif not stems:
            lacking["stems with a role"] += 1
        elif not all(
            _leads_to_a_file(database, stem_id) for of in stems.values() for stem_id in of
        ):
            lacking["usable paths of its stems"] += 1
        else:
            clip = MixClip(
                clip_id=row["clip_id"],
                song_id=row["song_id"],
                split=row["split"],
                key=Key(row["key_tonic"], row["key_mode"]),
                tempo_bpm=row["tempo_bpm"],
                beats_per_bar=row["beats_per_bar"] or 4,
                first_downbeat_s=row["downbeats"][0],
                duration_s=row["duration_s"],
                stems=stems,
            )
            if clip.sounds_for_s(1.0) - LEAD_IN_S < limits.min_s:
                lacking[f"{limits.min_s + LEAD_IN_S:g} s from the first downbeat"] += 1
            else:
                clips.append(clip)
    return clips, lacking


def _leads_to_a_file(database: MashupDB, stem_id: str) -> bool:
    try:
        database.audio_path(stem_id)
    except DatabaseError:
        return False
    return True


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

        No more than can be tried (`_MOST_PAIRS`): in a large library nearly all others may.
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
        if len(found) > _MOST_PAIRS:
            first = np.argpartition(ranks, _MOST_PAIRS)[:_MOST_PAIRS]
            found, ranks = found[first], ranks[first]
        return found[np.argsort(ranks)].tolist()


def _scramble(values: np.ndarray) -> np.ndarray:
    """Return 64-bit integers that look random, the same for the same input (as in SplitMix64)."""
    with np.errstate(over="ignore"):
        values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _pairs(first: Sequence[int], second: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield every pair once; both members change as soon as they can."""
    for round_ in range(len(second)):
        for index, one in enumerate(first):
            yield one, second[(index + round_) % len(second)]


def _offset_s(vocal: MixClip, random: np.random.Generator) -> float:
    """Return an offset in ±1 s that is audibly off the vocal's beat."""
    beat_s = 60.0 / vocal.tempo_bpm
    while True:
        offset_s = round(float(random.uniform(-LEAD_IN_S, LEAD_IN_S)), 4)
        away_s = abs(offset_s - round(offset_s / beat_s) * beat_s)
        if away_s > min(OFF_BEAT_S, beat_s / 4):
            return offset_s


def _mashup(
    vocal: MixClip,
    harmonic: MixClip,
    percussion: MixClip,
    condition: str,
    seed: int,
) -> tuple[Recipe, float]:
    """Return a recipe, and for how long after the vocal's first downbeat all its roles sound."""
    random = np.random.default_rng(
        int(content_id(seed, condition, vocal.clip_id, harmonic.clip_id, percussion.clip_id), 16)
    )
    ratio_h = ratio_p = 1.0
    offset_s, offset_role = 0.0, ""
    if condition in IN_TIME:
        ratio_h = vocal.tempo_bpm / harmonic.tempo_bpm
        ratio_p = vocal.tempo_bpm / percussion.tempo_bpm
    else:
        offset_s = _offset_s(vocal, random)
        offset_role = ("harmonic", "percussion")[int(random.integers(2))]
    recipe = Recipe(
        mix_id="",
        condition=condition,
        vocal=vocal.stems["vocal"],
        harmonic=harmonic.stems["harmonic"],
        percussion=percussion.stems["percussion"],
        semitones=shift_to_fit(harmonic.key, vocal.key) if condition in IN_KEY else 0,
        ratio_h=ratio_h,
        ratio_p=ratio_p,
        offset_s=offset_s,
        offset_role=offset_role,
    )
    sounds_for_s = min(
        harmonic.sounds_for_s(ratio_h) + (offset_s if offset_role == "harmonic" else 0.0),
        percussion.sounds_for_s(ratio_p) + (offset_s if offset_role == "percussion" else 0.0),
        vocal.sounds_for_s(1.0),
    )
    return recipe, sounds_for_s


def draw_for(
    vocal: MixClip,
    pool: Pool,
    limits: Limits,
    counts: Mapping[str, int],
    *,
    seed: int,
    stretch: Stretch,
    artefact_control: bool,
) -> list[Recipe]:
    """Return the recipes of one vocal.

    All last equally long. With artefact control there is one common move per original, and the
    n-th recipe of every condition has the n-th of them: moves tell nothing about the condition,
    and the recipes of one move share the vocal. Without, the one original is untouched.

    Args:
        vocal: the seed; needs the role vocal.
        pool: the clips of its split.
        limits: how far stems may be moved.
        counts: condition → recipes wanted; fewer are drawn where too few partners fit.
        seed: of all random choices.
        stretch: global or beatwise.
        artefact_control: whether every stem passes the engine.
    """
    longest_s = min(vocal.sounds_for_s(1.0), limits.max_s + LEAD_IN_S)
    shortest_s = limits.min_s + LEAD_IN_S
    drawn: dict[str, list[Recipe]] = {}
    if {"harmonic", "percussion"} <= vocal.stems.keys() and counts.get("original", 0) > 0:
        drawn["original"] = [
            Recipe(
                mix_id="",
                condition="original",
                vocal=vocal.stems["vocal"],
                harmonic=vocal.stems["harmonic"],
                percussion=vocal.stems["percussion"],
            )
        ]
    for condition in CONDITIONS[1:]:
        wanted = counts.get(condition, 0)
        if not wanted:
            continue
        harmonics, percussions = (
            pool.partners(vocal, role, condition, limits, seed) for role in ROLES[1:]
        )
        found: list[tuple[Recipe, float]] = []
        for least_s in (max(shortest_s, _LONG * longest_s), shortest_s):
            if len(found) < wanted:
                mashups = (
                    _mashup(vocal, pool.clips[h], pool.clips[p], condition, seed)
                    for h, p in islice(_pairs(harmonics, percussions), _MOST_PAIRS)
                )
                known = [recipe for recipe, _ in found]
                found += islice(
                    ((r, s) for r, s in mashups if s >= least_s and r not in known),
                    wanted - len(found),
                )
        drawn[condition] = [recipe for recipe, _ in found]
        longest_s = min([longest_s, *(sounds_for_s for _, sounds_for_s in found)])
    if artefact_control and "original" in drawn:
        drawn["original"] *= counts["original"]
    moves = _common_moves(vocal, seed, max(1, counts.get("original", 0)))
    recipes = []
    for of_condition in drawn.values():
        for number, recipe in enumerate(of_condition):
            semitones, ratio = moves[number % len(moves)] if artefact_control else (0, 1.0)
            recipe = replace(
                recipe,
                common_semitones=semitones,
                common_ratio=ratio,
                stretch=stretch,
                artefact_control=artefact_control,
                duration_s=round(longest_s - LEAD_IN_S, 6),
                seed=seed,
                split=vocal.split,
            )
            recipes.append(
                replace(recipe, mix_id=content_id("mix", *map(str, recipe.row().values())))
            )
    return recipes


def _common_moves(vocal: MixClip, seed: int, number: int) -> list[tuple[int, float]]:
    """Return (semitones, ratio) pairs, never the identity."""
    random = np.random.default_rng(int(content_id("common", seed, vocal.clip_id), 16))
    return [
        (int(random.choice(COMMON_SEMITONES)), round(float(random.uniform(*COMMON_RATIOS)), 4))
        for _ in range(number)
    ]


def draw_recipes(
    clips: Sequence[MixClip],
    limits: Limits,
    per_seed: Mapping[str, Mapping[str, int]],
    *,
    seed: int,
    stretch: Stretch,
    artefact_control: bool,
) -> list[Recipe]:
    """Return distinct recipes for every vocal: `draw_for` with the counts of its split."""
    recipes: list[Recipe] = []
    for split, counts in per_seed.items():
        pool = Pool([clip for clip in clips if clip.split == split])
        for vocal in pool.clips:
            if "vocal" in vocal.stems:
                recipes += draw_for(
                    vocal,
                    pool,
                    limits,
                    counts,
                    seed=seed,
                    stretch=stretch,
                    artefact_control=artefact_control,
                )
    return recipes
