"""One clip → its loops, their sound and which sound together: what the stage spreads over cores."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from data_pipelines.clip_stems import Stems
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
from mashnet.audio.io import write_flac
from mashnet.data.loops.loops import SAMPLE_RATE
from mashnet.errors import AudioError
from mashnet.execution.executor import DIED
from mashnet.files import content_id, write_json
from mashnet.storage.contained_paths import is_plain_name, place
from mashnet.storage.regular_files import read_json

# Part of the ids: another number makes all loops be found and written again.
LOOPS_VERSION = 1
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
    stems: Stems
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
        return _refused(task.refused)
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
        return _refused(str(error))
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
    return _refused(DIED)


def _refused(reason: str) -> Row:
    return {"loops": [], "pairs": [], "reject": reason, "done": False}


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
