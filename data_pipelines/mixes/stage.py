"""Recipes for original, matched and unmatched mixes (Huang et al., AAAI 2021, section 3).

python -m data_pipelines.mixes db=data/real

A vocal is the seed. *original*: harmonic and percussion of its own clip. *matched*: a harmonic stem
within ±3 semitones of its key, shifted to it, and a percussion stem, both within the tempo range
and stretched to its tempo, first downbeats aligned. *unmatched_key*: no key control, so a harmonic
stem that is out of key. *unmatched_tempo*: in key, but not stretched, and one of the two stems
moved by up to ±1 s. *unmatched_key_tempo*: both. Partners are of other songs of the same split.

Readings of the paper, decided here: same key includes the relative key (the same notes); the tempo
range holds for the harmonic stem, too; what is stretched to the vocal has its metre; an unmatched
mix must really be out of key (another signature) or out of time (not within 50 ms of a beat), or
it would be a matched one by chance.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import polars as pl
from omegaconf import DictConfig, OmegaConf

from data_pipelines.mixes.clips import Limits, usable_clips
from data_pipelines.mixes.drawing import draw_recipes
from data_pipelines.rejects import reject_row
from mashnet.audio.stretch import require_beatwise, require_installed
from mashnet.commands.hydra_program import CONFIGS
from mashnet.data.mashupdb import ROLES, MashupDB
from mashnet.data.mixes.part_store import PartStore
from mashnet.data.mixes.recipes import Recipe
from mashnet.data.schemas import CONDITIONS, SCHEMAS, SPLITS
from mashnet.errors import ConfigError, DatabaseError, require_one_of
from mashnet.execution.choice import executor_of
from mashnet.execution.executor import Executor
from mashnet.files import remove_leftovers
from mashnet.storage.paths import missing

CONFIG_DIR = CONFIGS / "pipeline"


def make(config: DictConfig) -> None:
    """Write the recipes of a configuration into mixes.parquet and render them.

    Rows of the other setting of artefact_control stay. What is already rendered is not redone.

    Raises:
        ConfigError: if a setting is not allowed.
        DatabaseError: if there is no database, or nothing in it can be mixed.
    """
    settings: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    limits = _checked(settings)
    executor = executor_of(settings)
    controlled = settings["artefact_control"]
    database = MashupDB.open(settings["db"])
    remove_leftovers(database.root, below=False)
    clips, lacking = usable_clips(database, limits)
    why = ", ".join(f"{count} without {what}" for what, count in lacking.items())
    recipes = draw_recipes(
        clips,
        limits,
        settings["per_seed"],
        seed=settings["seed"],
        stretch=settings["stretch"],
        artefact_control=controlled,
    )
    if not recipes:
        roles = ", ".join(f"{sum(r in c.stems for c in clips)} have {r}" for r in ROLES)
        raise DatabaseError(
            f"no mixes can be made of {database.root}: of {len(database.clips)} clips "
            f"{len(clips)} are usable{f' ({why})' if why else ''}; of these {roles}. A mix needs "
            "a vocal and, of the same clip or of other songs in its split, the other two roles"
        )
    passing = ("db", "render", "workers", "executor")  # decide nothing about the mixes
    kept = {k: v for k, v in settings.items() if k not in passing}
    with database.changing():
        _write(database, recipes, controlled)
        if database.manifest.get("mixes") != kept:
            database.update_manifest(mixes=kept)
    if settings["render"]:
        setting = f"artefact_control={str(controlled).lower()}"
        recipes = _rendered(database, recipes, setting, executor)
        with database.changing():
            _write(database, recipes, controlled)
    print(f"{len(clips)} clips can be mixed{f'; left out: {why}' if why else ''}")
    counts = Counter((recipe.split, recipe.condition) for recipe in recipes)
    for (split, condition), count in sorted(counts.items()):
        print(f"  {split:<6}{condition:<22}{count}")


def _write(database: MashupDB, recipes: list[Recipe], controlled: bool) -> None:
    """Write the recipes of one setting of artefact_control in place of its earlier ones."""
    others = database.mixes.filter(pl.col("artefact_control") != controlled)
    new = pl.DataFrame([recipe.row() for recipe in recipes], schema=SCHEMAS["mixes"])
    mixes = pl.concat([others, new]).sort("artefact_control", "mix_id")
    if not mixes.equals(database.mixes):
        database.write_table("mixes", mixes)


def _rendered(
    database: MashupDB, recipes: list[Recipe], setting: str, executor: Executor
) -> list[Recipe]:
    """Render all parts of some recipes; return the recipes of which every part is there.

    What cannot be rendered becomes a row of rejects.parquet; those of the other setting of
    artefact_control stay.

    Raises:
        DatabaseError: if no recipe is left.
    """
    store = PartStore(database)
    parts_of = {
        recipe.mix_id: {role: store.part(recipe, role) for role in ROLES} for recipe in recipes
    }
    parts = {part.part_id: part for of in parts_of.values() for part in of.values()}
    there = len(parts) - len(missing(store.folder, [part.path for part in parts.values()]))
    failed = store.failures(parts.values(), executor=executor)
    print(
        f"{len(recipes)} mixes of {len(parts)} parts in {store.folder}: "
        f"{len(parts) - there - len(failed)} rendered now, {there} were there"
        + (f", {len(failed)} failed" if failed else "")
    )
    rejects, usable = {}, []
    for recipe in recipes:
        lost = {r: p for r, p in parts_of[recipe.mix_id].items() if p.part_id in failed}
        for role, part in lost.items():
            titles = {database.clip_of(stem_id)["title"] for stem_id in part.part.stem_ids}
            what = f"{role} of {', '.join(sorted(titles))} (part {part.part_id}, {setting})"
            rejects[part.part_id] = reject_row(what, "mixes", failed[part.part_id])
        if not lost:
            usable.append(recipe)
    ours = (pl.col("stage") == "mixes") & pl.col("input").str.ends_with(f"{setting})")
    with database.changing():
        others = database.rejects.filter(~ours)
        if rejects or len(others) < len(database.rejects):
            database.write_table("rejects", [*others.to_dicts(), *rejects.values()])
    if rejects:
        print(
            f"{len(recipes) - len(usable)} mixes left out, {len(rejects)} parts cannot be "
            f"rendered: {database.root / 'rejects.parquet'}"
        )
    if not usable:
        reason = next(iter(failed.values()))
        raise DatabaseError(f"{database.root}: no mix can be rendered; the first reason: {reason}")
    return usable


def _checked(settings: dict[str, Any]) -> Limits:
    require_one_of("stretch", settings["stretch"], ("global", "beatwise"))
    require_installed(settings["engine"])
    if settings["stretch"] == "beatwise":
        require_beatwise(settings["engine"])
    for split, counts in settings["per_seed"].items():
        require_one_of("per_seed", split, SPLITS)
        for condition, count in counts.items():
            require_one_of(f"per_seed.{split}", condition, CONDITIONS)
            if not isinstance(count, int) or count < 0:
                raise ConfigError(f"per_seed.{split}.{condition}={count} must be a count")
    low, high = settings["tempo_ratio"]
    if not 0.2 <= low <= 1 <= high <= 5:
        raise ConfigError(f"tempo_ratio=[{low}, {high}] must contain 1 and lie in [0.2, 5]")
    if not 0 <= settings["max_semitones"] <= 6:
        raise ConfigError(f"max_semitones={settings['max_semitones']} must lie in [0, 6]")
    shortest_s, longest_s = settings["duration"]["min_s"], settings["duration"]["max_s"]
    if not 0 < shortest_s <= longest_s:
        raise ConfigError(f"duration: min_s={shortest_s} must be positive and at most max_s")
    if not 8000 <= settings["sample_rate"] <= 192000:
        raise ConfigError(f"sample_rate={settings['sample_rate']} must lie in [8000, 192000]")
    return Limits(
        max_semitones=settings["max_semitones"],
        min_ratio=low,
        max_ratio=high,
        min_s=shortest_s,
        max_s=longest_s,
    )
