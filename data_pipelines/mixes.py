"""Recipes for original, matched and unmatched mixes (Huang et al., AAAI 2021, section 3).

python -m data_pipelines.mixes db=data/real

A vocal is the seed. *original*: harmonic and percussion of its own clip. *matched*: a harmonic stem
within ±3 semitones of its key, shifted to it, and a percussion stem, both within the tempo range
and stretched to its tempo, first downbeats aligned. *unmatched_key*: no key control, so a harmonic
stem that is out of key. *unmatched_tempo*: in key, but not stretched, and one of the two stems
moved by up to ±1 s. *unmatched_key_tempo*: both.

Three readings of the paper, decided here: same key includes the relative key (the same notes); the
tempo range holds for the harmonic stem, too; an unmatched mix must really be out of key (another
signature) or out of time (not within 50 ms of a beat), or it would be a matched one by chance.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from omegaconf import DictConfig, OmegaConf

from mashnet.audio.stretch import ENGINES
from mashnet.cli import CONFIGS, entry_point
from mashnet.data.mashupdb import CONDITIONS, ROLES, SPLITS, MashupDB
from mashnet.data.recipes import Recipe
from mashnet.data.rendering import PartStore
from mashnet.errors import ConfigError, DatabaseError, require_one_of
from mashnet.files import content_id
from mashnet.music.keys import Key, shift_to_fit

CONFIG_DIR = CONFIGS / "pipeline"
OFF_BEAT_S = 0.05  # an offset nearer to a beat than this could still sound in time
COMMON_SEMITONES = (-3, -2, -1, 1, 2, 3)
COMMON_RATIOS = (0.9, 1.1)  # drawn uniformly in between
COMMON_MOVES = 3  # per vocal; all conditions share them, and so the rendered vocals


@dataclass(frozen=True)
class ClipRoles:
    """What a clip can bring to a mix."""

    clip_id: str
    song_id: str
    split: str
    key: Key
    tempo_bpm: float
    first_downbeat_s: float
    duration_s: float
    stems: dict[str, tuple[str, ...]]  # role → stem_ids

    @property
    def beat_s(self) -> float:
        """Duration of a beat in seconds."""
        return 60.0 / self.tempo_bpm


@dataclass(frozen=True)
class Limits:
    """How far stems may be moved, and how long a mix is."""

    max_semitones: int
    min_ratio: float
    max_ratio: float
    min_s: float
    max_s: float


def usable_clips(database: MashupDB, limits: Limits) -> tuple[list[ClipRoles], Counter[str]]:
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
        elif row["duration_s"] < limits.min_s:
            lacking[f"{limits.min_s:g} s of length"] += 1
        elif not stems:
            lacking["stems with a role"] += 1
        else:
            clips.append(
                ClipRoles(
                    clip_id=row["clip_id"],
                    song_id=row["song_id"],
                    split=row["split"],
                    key=Key(row["key_tonic"], row["key_mode"]),
                    tempo_bpm=row["tempo_bpm"],
                    first_downbeat_s=row["downbeats"][0],
                    duration_s=row["duration_s"],
                    stems=stems,
                )
            )
    return clips, lacking


class Drawer:
    """Draws recipes for one vocal from the clips of its split, all from one random generator."""

    def __init__(
        self,
        vocal: ClipRoles,
        clips: list[ClipRoles],
        limits: Limits,
        *,
        seed: int,
        stretch: str,
        artefact_control: bool,
    ) -> None:
        """Take the seed clip and the clips to draw partners from (its own song is left out)."""
        self.vocal = vocal
        self.limits = limits
        self.stretch = stretch
        self.artefact_control = artefact_control
        # The generator depends on this vocal only, so another song moves no other song's seeds.
        self.seed = int(content_id("mixes", seed, vocal.clip_id), 16) >> 1
        self.random = np.random.default_rng(self.seed)
        self.common_moves = [
            (
                int(self.random.choice(COMMON_SEMITONES)),
                round(float(self.random.uniform(*COMMON_RATIOS)), 4),
            )
            for _ in range(COMMON_MOVES)
        ]
        others = [c for c in clips if c.song_id != vocal.song_id and c.split == vocal.split]
        in_tempo = [c for c in others if limits.min_ratio <= self._ratio(c) <= limits.max_ratio]
        near = [c for c in others if abs(shift_to_fit(c.key, vocal.key)) <= limits.max_semitones]
        off = [c for c in others if shift_to_fit(c.key, vocal.key) != 0]

        def having(role: str, pool: list[ClipRoles]) -> list[ClipRoles]:
            return [c for c in pool if role in c.stems]

        self.harmonic = {
            "matched": having("harmonic", [c for c in near if c in in_tempo]),
            "unmatched_key": having("harmonic", [c for c in off if c in in_tempo]),
            "unmatched_tempo": having("harmonic", near),
            "unmatched_key_tempo": having("harmonic", off),
        }
        self.percussion = {
            "matched": having("percussion", in_tempo),
            "unmatched_key": having("percussion", in_tempo),
            "unmatched_tempo": having("percussion", others),
            "unmatched_key_tempo": having("percussion", others),
        }

    def _ratio(self, other: ClipRoles) -> float:
        return self.vocal.tempo_bpm / other.tempo_bpm

    def draw(self, condition: str, number: int) -> Recipe | None:
        """Return the recipe of a condition with a number, or None where no partner fits."""
        vocal = self.vocal
        if condition == "original":
            if not {"harmonic", "percussion"} <= set(vocal.stems):
                return None
            recipe = Recipe(
                mix_id="",
                condition=condition,
                vocal=vocal.stems["vocal"],
                harmonic=vocal.stems["harmonic"],
                percussion=vocal.stems["percussion"],
                duration_s=min(vocal.duration_s, self.limits.max_s),
            )
            return self._finish(recipe, number)
        harmonics, percussions = self.harmonic[condition], self.percussion[condition]
        if not harmonics or not percussions:
            return None
        harmonic = harmonics[self.random.integers(len(harmonics))]
        percussion = percussions[self.random.integers(len(percussions))]
        in_key = condition in ("matched", "unmatched_tempo")
        in_time = condition in ("matched", "unmatched_key")
        offset_s, offset_role = 0.0, ""
        if not in_time:
            offset_s = self._offset_s()
            offset_role = str(self.random.choice(["harmonic", "percussion"]))
        recipe = Recipe(
            mix_id="",
            condition=condition,
            vocal=vocal.stems["vocal"],
            harmonic=harmonic.stems["harmonic"],
            percussion=percussion.stems["percussion"],
            semitones=shift_to_fit(harmonic.key, vocal.key) if in_key else 0,
            ratio_h=self._ratio(harmonic) if in_time else 1.0,
            ratio_p=self._ratio(percussion) if in_time else 1.0,
            offset_s=offset_s,
            offset_role=offset_role,
            stretch=self.stretch if in_time else "global",  # type: ignore[arg-type]
        )
        ends_s = [vocal.duration_s, self.limits.max_s]
        for clip, ratio in ((harmonic, recipe.ratio_h), (percussion, recipe.ratio_p)):
            shift_s = vocal.first_downbeat_s - clip.first_downbeat_s / ratio
            ends_s.append(shift_s + clip.duration_s / ratio - abs(offset_s))
        duration_s = round(min(ends_s), 3)
        if duration_s < self.limits.min_s:
            return None
        return self._finish(replace(recipe, duration_s=duration_s), number)

    def _offset_s(self) -> float:
        """Return an offset in ±1 s that is audibly off the vocal's beat."""
        while True:
            offset_s = float(self.random.uniform(-1.0, 1.0))
            away_s = abs(offset_s - round(offset_s / self.vocal.beat_s) * self.vocal.beat_s)
            if away_s > min(OFF_BEAT_S, self.vocal.beat_s / 4):
                return round(offset_s, 4)

    def _finish(self, recipe: Recipe, number: int) -> Recipe:
        """Add the common move and name the recipe by its content."""
        if self.artefact_control:
            semitones, ratio = self.common_moves[number % COMMON_MOVES]
            recipe = replace(
                recipe, artefact_control=True, common_semitones=semitones, common_ratio=ratio
            )
        recipe = replace(recipe, seed=self.seed, split=self.vocal.split)
        return replace(recipe, mix_id=content_id("mix", *[str(v) for v in recipe.row().values()]))


def draw_recipes(
    clips: list[ClipRoles],
    limits: Limits,
    per_seed: dict[str, dict[str, int]],
    *,
    seed: int,
    stretch: str,
    artefact_control: bool,
) -> list[Recipe]:
    """Return distinct recipes for every vocal and condition.

    Args:
        clips: from `usable_clips`.
        limits: how far stems may be moved.
        per_seed: split → condition → recipes per vocal.
        seed: of all random choices.
        stretch: global or beatwise.
        artefact_control: whether every stem passes the engine.
    """
    recipes: dict[str, Recipe] = {}
    for vocal in (c for c in clips if "vocal" in c.stems):
        drawer = Drawer(
            vocal, clips, limits, seed=seed, stretch=stretch, artefact_control=artefact_control
        )
        for condition in CONDITIONS:
            wanted = per_seed[vocal.split].get(condition, 0)
            found: dict[tuple[object, ...], Recipe] = {}
            for _ in range(8 * wanted):  # a pairing may be too short or drawn before
                if len(found) == wanted:
                    break
                recipe = drawer.draw(condition, len(found))
                if recipe is None:
                    continue
                # The same stems moved another way are another mix, except among matched ones,
                # which are the candidates of a ranking.
                moves = (recipe.offset_s, recipe.common_semitones, recipe.common_ratio)
                pairing = (recipe.harmonic, recipe.percussion)
                found.setdefault(pairing if condition == "matched" else (*pairing, *moves), recipe)
            recipes |= {recipe.mix_id: recipe for recipe in found.values()}
    return list(recipes.values())


def make(config: DictConfig) -> None:
    """Write the recipes of a configuration into mixes.parquet and render them.

    Rows of the other setting of artefact_control stay. What is already rendered is not redone.

    Raises:
        ConfigError: if a setting is not allowed.
        DatabaseError: if there is no database, or nothing in it can be mixed.
    """
    settings: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    require_one_of("stretch", settings["stretch"], ("global", "beatwise"))
    require_one_of("engine", settings["engine"], ENGINES)
    for split, counts in settings["per_seed"].items():
        require_one_of("per_seed", split, SPLITS)
        for condition in counts:
            require_one_of(f"per_seed.{split}", condition, CONDITIONS)
    low, high = settings["tempo_ratio"]
    if not 0 < low <= 1 <= high:
        raise ConfigError(f"tempo_ratio=[{low}, {high}] must contain 1 and be positive")
    database = MashupDB.open(Path(settings["db"]))
    limits = Limits(
        max_semitones=settings["max_semitones"],
        min_ratio=low,
        max_ratio=high,
        min_s=settings["duration"]["min_s"],
        max_s=settings["duration"]["max_s"],
    )
    clips, lacking = usable_clips(database, limits)
    why = ", ".join(f"{count} without {what}" for what, count in lacking.items())
    recipes = draw_recipes(
        clips,
        limits,
        settings["per_seed"],
        seed=settings["seed"],
        stretch=settings["stretch"],
        artefact_control=settings["artefact_control"],
    )
    if not recipes:
        raise DatabaseError(
            f"no mixes can be made of {database.root}: of {len(database.clips)} clips "
            f"{len(clips)} are usable{f' ({why})' if why else ''}; a mix needs a vocal and, of "
            "the same or another song in its split, harmonic and percussion stems"
        )
    others = database.mixes.filter(pl.col("artefact_control") != settings["artefact_control"])
    new = pl.DataFrame([r.row() for r in recipes], schema=others.schema)
    database.write_table("mixes", pl.concat([others, new]))
    kept = {k: v for k, v in settings.items() if k not in ("db", "render", "workers")}
    database.update_manifest(mixes=kept)
    print(f"{len(clips)} clips can be mixed{f'; left out: {why}' if why else ''}")
    counts = new.group_by("split", "condition").len().sort("split", "condition")
    for split, condition, count in counts.rows():
        print(f"  {split:<6}{condition:<22}{count}")
    if settings["render"]:
        store = PartStore(database)
        parts = [store.part(recipe, role) for recipe in recipes for role in ROLES]
        done = store.render_all(parts, workers=settings["workers"])
        print(f"rendered {done} parts into {store.folder} ({len(parts)} in all, the rest shared)")


@entry_point("mixes", CONFIG_DIR)
def main(config: DictConfig) -> None:
    """Draw and render."""
    make(config)


if __name__ == "__main__":
    main()
