"""One song → the sections of its clips, estimated: the work that the stage spreads over cores."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_pipelines.clip_stems import Stems
from data_pipelines.structure.features import Bars, bars_of, joined
from data_pipelines.structure.segmentation import find_sections
from mashnet.audio.levels import ACTIVE_ABOVE_DB
from mashnet.errors import AudioError
from mashnet.execution.executor import DIED
from mashnet.files import content_id, write_json
from mashnet.music.sections import sections_within
from mashnet.storage.contained_paths import place
from mashnet.storage.regular_files import read_json

# Part of the cache's keys: another number makes all songs be looked at again.
STRUCTURE_VERSION = 2
RECORDS = Path("cache") / "structure"
Row = dict[str, Any]


@dataclass(frozen=True)
class Task:
    """A song's clips, in order of time, and the stems of each."""

    root: Path
    clips: tuple[Mapping[str, Any], ...]
    stems: tuple[Stems, ...]
    refused: str = ""  # why its stems cannot be used

    @property
    def record(self) -> Path:
        """Where the finished song is kept; another annotation of beats is another file."""
        clips = [[c["clip_id"], c["beats"], c["downbeats"], c["duration_s"]] for c in self.clips]
        stems = [[[row["stem_id"], row["role"]] for row, _ in clip] for clip in self.stems]
        return place(self.root, RECORDS, f"{content_id(clips, stems, STRUCTURE_VERSION)}.json")


def estimate(task: Task) -> Row:
    """Return the estimated sections of one song; from the cache if it was done before.

    Returns:
        {"sections": [clip_id, start_s, end_s, label] each, "rejects": {clip_id: reason}, "done":
        whether it was done before}.

    Raises:
        OSError: if the database cannot be written to (never for a bad input).
    """
    if task.refused:  # not kept: the table may be put right
        return _refused(task, task.refused)
    try:
        done: Row = read_json(task.record)
        return {"sections": done["sections"], "rejects": done["rejects"], "done": True}
    except (OSError, ValueError, KeyError, TypeError):
        pass
    rows: Row = {"sections": [], "rejects": {}}
    bars: list[Bars] = []
    ends_s = [0.0]
    used: list[str] = []
    mendable = False
    for clip, stems in zip(task.clips, task.stems, strict=True):
        clip_id = clip["clip_id"]
        try:
            bars.append(_bars(clip, stems))
        except AudioError as error:  # not kept: the file may be put right
            rows["rejects"][clip_id] = str(error)
            mendable = True
        except _NoBarsError as error:
            rows["rejects"][clip_id] = str(error)
        else:
            used.append(clip_id)
            ends_s.append(ends_s[-1] + clip["duration_s"])
    if used:
        sections = find_sections(joined(bars, ends_s[:-1]), ends_s[-1])
        for clip_id, (start_s, end_s) in zip(used, itertools.pairwise(ends_s), strict=True):
            for part in sections_within(sections, start_s, end_s):
                rows["sections"].append([clip_id, part.start_s, part.end_s, part.label])
    if not mendable:
        write_json(task.record, rows)
    return {**rows, "done": False}


def process_died(task: Task) -> Row:
    """Return the result for a song whose process was killed by the system."""
    return _refused(task, DIED)


def _refused(task: Task, reason: str) -> Row:
    rejects = {clip["clip_id"]: reason for clip in task.clips}
    return {"sections": [], "rejects": rejects, "done": False}


class _NoBarsError(Exception):
    """There is nothing in a clip that could be told apart."""


def _bars(clip: Mapping[str, Any], stems: Stems) -> Bars:
    if not stems:
        raise _NoBarsError("has no stems, so no sections")
    if len(clip["beats"]) < 2:
        raise _NoBarsError("has no beats, so no bars that could be compared, and no sections")
    bars = bars_of(clip, [(row["role"], path) for row, path in stems])
    if bars.mix_db.max() < ACTIVE_ABOVE_DB:
        raise _NoBarsError("is silent, so has no sections")
    return bars
