"""The record of a song: what it is kept under, and whether it can be used again."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from data_pipelines.mashupdb.analyse import ANALYSIS_VERSION
from data_pipelines.mashupdb.clip_tuning import lack_tuning, with_tuning
from data_pipelines.mashupdb.guessed_roles import GUESS_VERSION, is_unnamed
from data_pipelines.sources.song import RawSong, printable
from mashnet.audio.encoders.delay import LATE_SUFFIXES
from mashnet.errors import AudioError, DatabaseError
from mashnet.files import content_id, write_json
from mashnet.storage.contained_paths import inside, is_plain_name, place
from mashnet.storage.regular_files import read_json

# Part of the cache's keys: another number makes all songs be cut and written again.
CLIPS_VERSION = 1
# Kept in the record: one of an earlier version is done anew only if `_would_differ`.
RECORD_VERSION = 2


@dataclass(frozen=True, kw_only=True)
class Task:
    """A song, what it is made of, and where its clips go."""

    song: RawSong
    digests: tuple[str, ...]  # of the stems (file and stream), in their order
    out: Path
    min_s: float
    max_s: float
    split: str
    guess_roles: bool = False  # of stems whose names say nothing

    @property
    def song_id(self) -> str:
        """The same stems give the same id, whatever files and folders are called."""
        return content_id("song", sorted(self.digests))

    @property
    def guesses(self) -> bool:
        """Whether a role of it is to be guessed."""
        return self.guess_roles and any(is_unnamed(stem) for stem in self.song.stems)

    @property
    def record(self) -> Path:
        """Where the finished song's rows are kept; another setting is another file."""
        song = asdict(self.song)
        for stem in song["stems"]:
            stem["path"] = printable(stem["path"].name)
            stem.pop("stream")  # is in the digest
            stem.pop("unnamed")
        song.pop("origin")
        song["mixes"] = [printable(path.name) for path in self.song.mixes]
        if not song["mixes"]:
            song.pop("mixes")
        song.pop("splits")  # the one that was chosen is a setting
        if song["min_stems"] == 1:
            song.pop("min_stems")  # as it was before there was such a thing
        if not song["parts"]:
            song.pop("parts")
        if not song["known"]["sections"]:
            song["known"].pop("sections")
        for hint in ("tempo_hint_bpm", "key_hint"):
            if song["known"][hint] is None:
                song["known"].pop(hint)
        settings: list[Any] = [self.min_s, self.max_s, self.split]
        if self.guesses:
            settings.append(["guess", GUESS_VERSION])
        key = content_id(self.digests, json.dumps(song), settings, CLIPS_VERSION, ANALYSIS_VERSION)
        return place(self.out, "cache", "songs", f"{key}.json")


def finished(task: Task) -> dict[str, Any] | None:
    """Return the rows of a song that was made before; None if it is to be made."""
    try:
        rows: dict[str, Any] = read_json(task.record)
        whole = (
            not _would_differ(task, rows)
            and _are_of(task, rows)
            and all(inside(task.out, stem["path"], "a stem").is_file() for stem in rows["stems"])
        )
    except DatabaseError:
        return None  # the record is a stranger's
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not whole:
        return None
    if lack_tuning(rows):
        try:
            rows = with_tuning(task.out, rows)
        except AudioError:
            return None
        write_json(task.record, rows)
    # Songs that were done before there were sections or groups have none of them.
    clips = [{**row, "group": task.song.group} for row in rows["clips"]]
    return {"sections": [], **rows, "clips": clips}


def _would_differ(task: Task, rows: dict[str, Any]) -> bool:
    """Return whether a song would now be made otherwise than by the version that made it."""
    if rows.get("version", 1) >= RECORD_VERSION:
        return False
    # 1 left out stems that end early, and began MP3 files late.
    lengths = (" differ in length: ", " where the other stems last ")
    reasons = [row["reason"] for row in rows["rejects"] if row["stage"] == "stems"]
    return any(part in reason for part in lengths for reason in reasons) or any(
        stem.path.suffix.lower() in LATE_SUFFIXES for stem in task.song.stems
    )


def _are_of(task: Task, rows: dict[str, Any]) -> bool:
    """Return whether the clips and stems of a record have names that this module gives."""
    clips = {row["clip_id"] for row in rows["clips"]}
    return (
        all(row["song_id"] == task.song_id for row in rows["clips"])
        and all(row["clip_id"] in clips for row in [*rows["stems"], *rows.get("sections", [])])
        and all(is_plain_name(name) for name in [*clips, *(r["stem_id"] for r in rows["stems"])])
    )
