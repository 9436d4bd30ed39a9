"""Draws recipes for one vocal after the other (Huang et al., AAAI 2021, section 3).

Partners are taken in the order of a hash of vocal, condition and partner, so a song that is added
changes a draw only where it comes first itself, and the same database gives the same recipes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice

import numpy as np

from data_pipelines.mixes.clips import Limits, MixClip
from data_pipelines.mixes.partners import MOST_PAIRS, Pool
from mashnet.data.mashupdb import ROLES
from mashnet.data.mixes.recipes import IN_KEY, IN_TIME, LEAD_IN_S, Recipe, Stretch
from mashnet.data.schemas import CONDITIONS
from mashnet.files import content_id
from mashnet.music.keys import shift_to_fit

OFF_BEAT_S = 0.05  # an offset nearer to a beat than this could still sound in time
COMMON_SEMITONES = (-3, -2, -1, 1, 2, 3)
COMMON_RATIOS = (0.9, 1.1)  # drawn uniformly in between
# Partners that leave this share of the vocal's length are preferred to shorter ones.
_LONG = 0.9


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
                    for h, p in islice(_pairs(harmonics, percussions), MOST_PAIRS)
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
