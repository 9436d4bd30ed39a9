"""The sections of all songs of a MashupDB: python -m data_pipelines.structure db=data/real.

What the source knew stays; then come All-In-One's sections where the user has them, then estimates
(data_pipelines.structure.segmentation). All clips of a song are looked at together, in their order,
so that a verse in one is known from a verse in another. A clip without sections is a row of
rejects.parquet.
"""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl
from omegaconf import DictConfig

from data_pipelines.clip_stems import Stems, stems_of_clips
from data_pipelines.rejects import first_reasons, reject_of_clip, reject_row
from data_pipelines.structure.agreement import boundary_hits, every_eighth_bar, label_agreement
from data_pipelines.structure.all_in_one import Song, read_folder
from data_pipelines.structure.song_sections import RECORDS, Row, Task, estimate, process_died
from mashnet.commands.hydra_program import CONFIGS
from mashnet.data.mashupdb import MashupDB
from mashnet.data.schemas import ANNOTATED
from mashnet.errors import MashnetError, disk_error
from mashnet.execution.choice import executor_of
from mashnet.files import remove_leftovers
from mashnet.music.sections import LABELS, Section, sections_within

CONFIG_DIR = CONFIGS / "pipeline"
ALL_IN_ONE, ESTIMATED = "all-in-one", "estimated"
Sections = dict[str, list[Section]]


def make(config: DictConfig) -> MashupDB:
    """Find the sections of all songs of a database; write its tables sections and rejects.

    Raises:
        ConfigError: if a setting is not allowed.
        DatabaseError: if there is no database.
        MashnetError: if no clip has sections, or the database cannot be written to.
    """
    began = time.monotonic()
    executor = executor_of(config)
    database = MashupDB.open(config.db)
    root = database.root
    tasks = _tasks(database)
    given: dict[str, list[Section]] = {}
    problems: list[tuple[Path, str]] = []
    if config.all_in_one is not None:
        given, problems = read_folder(Path(config.all_in_one), map(_named, tasks))
    try:
        remove_leftovers(root, below=False)
        remove_leftovers(database.place(RECORDS))
        results = executor.run(estimate, tasks, label="songs", died=process_died)
        with database.changing():
            estimated = _write(database, tasks, results, given, problems)
            database.update_manifest(structure={"all_in_one": config.all_in_one})
    except OSError as error:
        raise disk_error(error, root) from error
    _summary(database, sum(result["done"] for result in results), time.monotonic() - began)
    _print_agreement(database, estimated)
    return database


def _tasks(database: MashupDB) -> list[Task]:
    """Return one task per song. The table of clips has a song's clips in order of time."""
    songs: dict[str, list[tuple[Row, Stems, str]]] = {}
    for clip, stems, refused in stems_of_clips(database):
        songs.setdefault(clip["song_id"], []).append((clip, stems, refused))
    tasks = []
    for of_song in songs.values():
        clips, parts, refusals = zip(*of_song, strict=True)
        tasks.append(Task(database.root, clips, parts, next(filter(None, refusals), "")))
    return tasks


def _named(task: Task) -> Song:
    """Return what a file of All-In-One is matched with."""
    first = task.clips[0]
    title, artist = first["title"], first["artist"]
    return Song(
        song_id=first["song_id"],
        names=(title, f"{artist} {title}", first["song_id"]),
        duration_s=sum(clip["duration_s"] for clip in task.clips),
    )


def _write(
    database: MashupDB,
    tasks: list[Task],
    results: list[Row],
    given: Mapping[str, list[Section]],
    problems: list[tuple[Path, str]],
) -> Sections:
    """Write the tables; return the estimated sections of each clip, used or not."""
    known: Sections = {}
    for row in database.sections.filter(pl.col("origin") == ANNOTATED).iter_rows(named=True):
        section = Section(row["start_s"], row["end_s"], row["label"])
        known.setdefault(row["clip_id"], []).append(section)
    estimated: Sections = {}
    for clip_id, start_s, end_s, label in itertools.chain(*(r["sections"] for r in results)):
        estimated.setdefault(clip_id, []).append(Section(start_s, end_s, label))
    rows: list[Row] = []
    rejects = [reject_row(path, "structure", reason) for path, reason in problems]
    for task, result in zip(tasks, results, strict=True):
        start_s = 0.0
        for clip in task.clips:
            clip_id, end_s = clip["clip_id"], start_s + clip["duration_s"]
            named = sections_within(given.get(clip["song_id"], []), start_s, end_s)
            start_s = end_s
            for origin, sections in (
                (ANNOTATED, known.get(clip_id)),
                (ALL_IN_ONE, named),
                (ESTIMATED, estimated.get(clip_id)),
            ):
                if sections:
                    rows += [{"clip_id": clip_id, "origin": origin, **vars(s)} for s in sections]
                    break
            else:
                rejects.append(reject_of_clip(clip, "structure", result["rejects"][clip_id]))
    others = database.rejects.filter(pl.col("stage") != "structure")
    database.write_table("rejects", [*others.to_dicts(), *rejects])
    if not rows:
        why = first_reasons(rejects)
        raise MashnetError(f"{database.root}: none of its clips has sections{why}")
    database.write_table("sections", rows)
    return estimated


def _summary(database: MashupDB, already: int, seconds: float) -> None:
    table = database.sections
    labels, origins = Counter(table["label"]), Counter(table["origin"])
    print(
        f"{table['clip_id'].n_unique()} of {len(database.clips)} clips: {len(table)} sections "
        f"({', '.join(f'{label} {labels[label]}' for label in LABELS)}) in {database.root} after "
        f"{seconds / 60:.1f} min; {already} songs were done before"
    )
    print("origin: " + ", ".join(f"{origin} {count}" for origin, count in origins.most_common()))
    rejects = database.rejects.filter(pl.col("stage") == "structure")
    where = f": {database.root / 'rejects.parquet'}" if len(rejects) else ""
    print(f"{len(rejects)} rejects{where}")
    for reason, count in Counter(rejects["reason"]).most_common(5):
        print(f"  {count:>4}  {reason}")


def _print_agreement(database: MashupDB, estimated: Sections) -> None:
    """Print how well estimates agree with annotations, on clips that have both."""
    annotated = set(database.sections.filter(pl.col("origin") == ANNOTATED)["clip_id"])
    found, regular, labels = [], [], []
    for clip_id in sorted(annotated & estimated.keys()):
        reference = database.sections_of(clip_id)
        if len(reference) < 2:
            continue  # no boundary in it
        clip = database.clip_rows[clip_id]
        regularly = every_eighth_bar(clip["downbeats"], clip["duration_s"])
        found.append([boundary_hits(reference, estimated[clip_id], w)[2] for w in (3.0, 0.5)])
        regular.append(boundary_hits(reference, regularly, 3.0)[2])
        labels.append(label_agreement(reference, estimated[clip_id]))
    if found:
        within_3_s, within_half_s = np.mean(found, axis=0)
        print(
            f"estimates against the annotations of {len(found)} clips: boundaries within 3 s "
            f"F {within_3_s:.3f}, within 0.5 s F {within_half_s:.3f} (every eighth bar: "
            f"{np.mean(regular):.3f} within 3 s); same label {np.mean(labels):.1%} of the time"
        )
