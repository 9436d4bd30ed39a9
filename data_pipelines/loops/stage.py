"""Clips of a MashupDB → loops and which of them sound together (Chen et al., ISMIR 2020).

python -m data_pipelines.loops db=data/real

Loops come from the mix by decomposition (data_pipelines.loops.extraction), or are the bars of the
stems (loops.from=stems); data_pipelines.loops.refinement makes them distinct and pairs them up.

A clip of which no pair can be made becomes a row of rejects.parquet; the others go on. Negative
pairs, which another stage adds, are dropped where the pairs made here change.
"""

from __future__ import annotations

import re
import time
from collections import Counter

import polars as pl
from omegaconf import DictConfig, OmegaConf

from data_pipelines.clip_stems import stems_of_clips
from data_pipelines.loops.clip_loops import (
    AUDIO,
    RECORDS,
    Row,
    Settings,
    Task,
    make_loops,
    process_died,
)
from data_pipelines.rejects import first_reasons, reject_of_clip
from mashnet.audio.stretch import require_installed
from mashnet.commands.hydra_program import CONFIGS
from mashnet.data.loops.loops import KINDS, POSITIVE
from mashnet.data.mashupdb import MashupDB
from mashnet.data.schemas import SPLITS
from mashnet.errors import ConfigError, MashnetError, disk_error, require_one_of
from mashnet.execution.choice import executor_of
from mashnet.files import content_id, remove_leftovers

CONFIG_DIR = CONFIGS / "pipeline"


def make(config: DictConfig) -> MashupDB:
    """Find the loops of all clips of a database; write its tables loops, pairs and rejects.

    Raises:
        ConfigError: if a setting is not allowed.
        DatabaseError: if there is no database.
        MashnetError: if no clip was usable, or the database cannot be written to.
    """
    began = time.monotonic()
    settings = settings_of(config)
    executor = executor_of(config)
    database = MashupDB.open(config.db)
    root = database.root
    tasks = [
        Task(root, clip, stems, settings, refused)
        for clip, stems, refused in stems_of_clips(database)
    ]
    try:
        remove_leftovers(root, below=False)
        for folder in (AUDIO, RECORDS):
            remove_leftovers(database.place(folder))
        results = executor.run(make_loops, tasks, label="clips", unit="clip", died=process_died)
        with database.changing():
            _write(database, tasks, results)
            database.update_manifest(loops=OmegaConf.to_container(config.loops, resolve=True))
    except OSError as error:
        raise disk_error(error, root) from error
    _summary(database, sum(result["done"] for result in results), time.monotonic() - began)
    return database


def settings_of(config: DictConfig) -> Settings:
    """Return what loops depend on, as a configuration has it; ConfigError if it makes no sense."""
    loops = config.loops
    require_one_of("loops.from", loops["from"], ("mix", "stems"))
    require_installed(loops.engine)
    if loops.min_bars < 2:
        raise ConfigError(f"loops.min_bars={loops.min_bars} must be at least 2")
    if loops.max_iterations < 1:
        raise ConfigError(f"loops.max_iterations={loops.max_iterations} must be at least 1")
    if not 0 <= loops.co_occurrence < 1:
        raise ConfigError(f"loops.co_occurrence={loops.co_occurrence} must lie in [0, 1)")
    return Settings(
        source=loops["from"],
        min_bars=loops.min_bars,
        max_iterations=loops.max_iterations,
        co_occurrence=float(loops.co_occurrence),
        engine=loops.engine,
    )


def _write(database: MashupDB, tasks: list[Task], results: list[Row]) -> None:
    """Write the tables; remove the sound of loops that are no longer in them."""
    loops: list[Row] = []
    pairs: list[Row] = []
    rejects: list[Row] = []
    for task, result in zip(tasks, results, strict=True):
        clip = task.clip
        if result["reject"]:
            rejects.append(reject_of_clip(clip, "loops", result["reject"]))
        owner = {"split": clip["split"], "song_id": clip["song_id"]}
        loops += [row | owner for row in result["loops"]]
        pairs += [_pair_row(one, other, clip["split"]) for one, other in result["pairs"]]
    others = database.rejects.filter(pl.col("stage") != "loops")
    before = database.pairs.filter(pl.col("strategy") == POSITIVE)
    changed = {(r["pair_id"], r["split"]) for r in pairs} != set(before["pair_id", "split"].rows())
    if changed:
        others = others.filter(pl.col("stage") != "negatives")
    database.write_table("rejects", [*others.to_dicts(), *rejects])
    if not pairs:
        why = first_reasons(rejects)
        raise MashnetError(f"{database.root}: none of its {len(tasks)} clips gave loops{why}")
    kept = database.pairs.filter(pl.col("strategy") != POSITIVE)
    if changed:
        if len(kept):
            print("pairs have changed: make their negatives anew (data_pipelines.negatives)")
            database.update_manifest(negatives={})
        kept = kept.clear()
        # A kill in between must not leave pairs of loops that are not there.
        database.write_table("pairs", [])
    database.write_table("loops", loops)
    database.write_table("pairs", [*pairs, *kept.to_dicts()])
    named = {row["path"] for row in loops}
    for path in database.place(AUDIO).glob("*.flac"):
        if path.relative_to(database.root).as_posix() not in named:
            path.unlink(missing_ok=True)


def _pair_row(one: str, other: str, split: str) -> Row:
    return {
        "pair_id": content_id(one, other, POSITIVE),
        "loop_a": one,
        "loop_b": other,
        "label": 1,
        "strategy": POSITIVE,
        "params": "{}",
        "split": split,
    }


def _summary(database: MashupDB, already: int, seconds: float) -> None:
    loops = database.loops
    pairs = database.pairs.filter(pl.col("strategy") == POSITIVE)
    kinds = ", ".join(f"{kind} {(loops['kind'] == kind).sum()}" for kind in KINDS)
    print(
        f"{loops['clip_id'].n_unique()} of {len(database.clips)} clips: {len(loops)} loops "
        f"({kinds}) in {database.root} after {seconds / 60:.1f} min; {already} clips were done "
        "before"
    )
    splits = ", ".join(f"{split} {(pairs['split'] == split).sum()}" for split in SPLITS)
    print(f"{len(pairs)} pairs ({splits})")
    rejects = database.rejects.filter(pl.col("stage") == "loops")
    where = f": {database.root / 'rejects.parquet'}" if len(rejects) else ""
    print(f"{len(rejects)} clips left out{where}")
    # What differs in its figures only is one reason.
    reasons = Counter(re.sub(r"\d+(\.\d+)?", "#", reason) for reason in rejects["reason"])
    for reason, count in reasons.most_common():
        print(f"  {count:>4}  {reason}")
