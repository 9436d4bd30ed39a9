"""Clips of a MashupDB → loops and which of them sound together (Chen et al., ISMIR 2020).

python -m data_pipelines.loops db=data/real

Loops come from the mix by decomposition (data_pipelines.loops.extraction), or are the bars of the
stems (loops.from=stems); data_pipelines.loops.refinement makes them distinct and pairs them up.

A clip of which no pair can be made becomes a row of rejects.parquet; the others go on. Negative
pairs, which another stage adds, are dropped where the pairs made here change.
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from omegaconf import DictConfig, OmegaConf

from data_pipelines.loops.extraction import UnusableError, downbeats_of, find_bars, sounds
from data_pipelines.loops.kinds import kind_of_stem
from data_pipelines.loops.refinement import (
    Loop,
    Part,
    co_occurring,
    loops_of_mix,
    loops_of_stems,
    mix_of,
)
from data_pipelines.rejects import reject_row
from mashnet.audio.io import write_flac
from mashnet.audio.stretch import require_installed
from mashnet.commands.hydra_program import CONFIGS
from mashnet.data.loops.loops import KINDS, POSITIVE, SAMPLE_RATE
from mashnet.data.mashupdb import MashupDB
from mashnet.data.schemas import SPLITS
from mashnet.errors import (
    AudioError,
    ConfigError,
    DatabaseError,
    MashnetError,
    disk_error,
    require_one_of,
)
from mashnet.execution.choice import executor_of
from mashnet.execution.executor import DIED
from mashnet.files import content_id, remove_leftovers, write_json
from mashnet.storage.places import is_plain_name, place
from mashnet.storage.regular_files import read_json

# Part of the ids: another number makes all loops be found and written again.
LOOPS_VERSION = 1
CONFIG_DIR = CONFIGS / "pipeline"
AUDIO = Path("audio") / "loops"  # in the database's folder
RECORDS = Path("cache") / "loops"
_PEAK = 0.99  # what too loud a loop is brought down to
Row = dict[str, Any]


@dataclass(frozen=True)
class Settings:
    """What loops depend on beside the clip."""

    source: str  # mix | stems
    min_bars: int
    max_iterations: int
    co_occurrence: float
    engine: str


@dataclass(frozen=True)
class Task:
    """One clip with its stems, and how loops are made of it."""

    root: Path
    clip: Mapping[str, Any]  # a row of clips.parquet
    stems: tuple[tuple[Mapping[str, Any], Path], ...]  # rows of stems.parquet, where they lie
    settings: Settings
    refused: str = ""  # why its stems cannot be used

    @property
    def key(self) -> str:
        """The same clip, annotation and settings give the same key."""
        annotation = [self.clip["downbeats"], self.clip["beats_per_bar"]]
        stems = [[row["stem_id"], row["label"], row["role"]] for row, _ in self.stems]
        settings = json.dumps(asdict(self.settings))
        return content_id(self.clip["clip_id"], annotation, stems, settings, LOOPS_VERSION)

    @property
    def record(self) -> Path:
        """Where the finished clip's rows are kept."""
        return place(self.root, RECORDS, f"{self.key}.json")


def make_loops(task: Task) -> Row:
    """Return the loops of one clip, after writing their sound; from the cache if all is there.

    Returns:
        {"loops": rows without split and song_id, "pairs": pairs of loop_ids, "reject": why there
        are none, "done": whether it was done before}.

    Raises:
        OSError: if the database cannot be written to (never for a bad input).
    """
    if task.refused:  # not kept: the table may be put right
        return {"loops": [], "pairs": [], "reject": task.refused, "done": False}
    try:
        done: Row = read_json(task.record)
        if all(_is_there(task, row) for row in done["loops"]):
            return {**done, "done": True}
    except (OSError, ValueError, KeyError, TypeError):
        pass
    rows: Row = {"loops": [], "pairs": [], "reject": ""}
    try:
        loops = _loops_of(task)
        pairs = co_occurring(np.stack([v.layout for v in loops]), task.settings.co_occurrence)
        if not pairs:
            raise UnusableError(f"no two of its {len(loops)} loops sound together")
    except UnusableError as error:
        rows["reject"] = str(error)
    except AudioError as error:  # not kept: the file may be put right
        return {**rows, "reject": str(error), "done": False}
    else:
        rows["loops"] = [_written(task, index, loop) for index, loop in enumerate(loops)]
        ids = [row["loop_id"] for row in rows["loops"]]
        rows["pairs"] = [[ids[one], ids[other]] for one, other in pairs]
    write_json(task.record, rows)
    return {**rows, "done": False}


def _is_there(task: Task, row: Row) -> bool:
    """Return whether a loop of a record, which may be a stranger's, lies where loops lie."""
    if not is_plain_name(row["loop_id"]):
        return False
    path = place(task.root, AUDIO, f"{row['loop_id']}.flac")
    named = path.relative_to(task.root).as_posix()
    return row["path"] == named and row["clip_id"] == task.clip["clip_id"] and path.is_file()


def process_died(task: Task) -> Row:
    """Return the result for a clip whose process was killed by the system."""
    return {"loops": [], "pairs": [], "reject": DIED, "done": False}


def _loops_of(task: Task) -> list[Loop]:
    settings = task.settings
    bars = find_bars(task.clip, settings.min_bars)
    if not task.stems:
        raise UnusableError("has no stems")
    parts = [Part(path, kind_of_stem(row["label"], row["role"])) for row, path in task.stems]
    mix = mix_of(parts)
    sounding = {number: bar for number, bar in bars.items() if sounds(mix, bar)}
    if len(sounding) < settings.min_bars:
        reason = f"only {len(sounding)} of its bars sound and have the usual length"
        raise UnusableError(f"{reason}, less than loops.min_bars={settings.min_bars}")
    count = len(downbeats_of(task.clip)) - 1
    if settings.source == "mix":
        loops = loops_of_mix(
            mix,
            parts,
            sounding,
            count,
            engine=settings.engine,
            max_iterations=settings.max_iterations,
        )
    else:
        loops = loops_of_stems(mix, parts, sounding, count, engine=settings.engine)
    if len(loops) < 2:
        raise UnusableError("only one distinct loop is in it" if loops else "no loop in it sounds")
    return loops


def _written(task: Task, index: int, loop: Loop) -> Row:
    """Write a loop's sound; return its row."""
    loop_id = content_id("loop", task.key, index)
    path = place(task.root, AUDIO, f"{loop_id}.flac")
    peak = float(np.abs(loop.samples).max())
    gain = np.float32(_PEAK / peak if peak > 1 else 1.0)
    write_flac(path, gain * loop.samples[None], SAMPLE_RATE)
    return {
        "loop_id": loop_id,
        "clip_id": task.clip["clip_id"],
        "bar": loop.bar,
        "kind": loop.kind,
        "path": path.relative_to(task.root).as_posix(),
        "snr_db": round(loop.snr_db, 2),
        "hash": loop.hash,
        "layout": [round(float(strength), 6) for strength in loop.layout],
        "bar_s": loop.bar_s,
    }


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
    tasks = []
    stems = database.stems.partition_by("clip_id", as_dict=True)
    for clip in database.clips.iter_rows(named=True):
        rows = stems[clip["clip_id"],].to_dicts() if (clip["clip_id"],) in stems else []
        try:
            parts = tuple((row, database.audio_path(row["stem_id"])) for row in rows)
            tasks.append(Task(root, clip, parts, settings))
        except DatabaseError as error:
            tasks.append(Task(root, clip, (), settings, refused=str(error)))
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
            what = f"{clip['title']} (clip {clip['clip_id']})"
            rejects.append(reject_row(what, "loops", result["reject"]))
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
        first = "".join(f"; {row['input']}: {row['reason']}" for row in rejects[:3])
        raise MashnetError(f"{database.root}: none of its {len(tasks)} clips gave loops{first}")
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
