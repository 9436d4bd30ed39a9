"""Sections that All-In-One found: its JSON files, put to the songs that they are of.

All-In-One (Kim and Nam, WASPAA 2023) writes <name of the sound file>.json with a list `segments`
of {start, end, label}, in seconds. mashnet does not run it; who has its files can use them.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mashnet.errors import ConfigError
from mashnet.music.sections import Section, label_of
from mashnet.storage.regular_files import read_json

_LENGTH_TOLERANCE_S = 2.0  # decoders differ by less; another recording by more


@dataclass(frozen=True)
class Song:
    """What a file is matched with.

    Attributes:
        song_id: of the database.
        names: what the song may be called.
        duration_s: all of its clips together.
    """

    song_id: str
    names: tuple[str, ...]
    duration_s: float


def read_folder(
    folder: Path, songs: Iterable[Song]
) -> tuple[dict[str, list[Section]], list[tuple[Path, str]]]:
    """Read the JSON files of a folder, and find the song of each.

    A file is of the song one of whose names it has; letters and digits count, case does not.

    Returns:
        Sections by song_id, in order of time from the beginning of the song and without gaps; and
        the files that cannot be used, each with the reason.

    Raises:
        ConfigError: if there is no such folder.
    """
    if not folder.is_dir():
        raise ConfigError(f"all_in_one={folder} is not a folder")
    by_name: dict[str, list[Song]] = {}
    for song in songs:
        for name in {_plain(name) for name in song.names} - {""}:
            by_name.setdefault(name, []).append(song)
    found: dict[str, list[Section]] = {}
    problems: list[tuple[Path, str]] = []
    for path in sorted(folder.glob("*.json")):
        matching = by_name.get(_plain(path.stem), [])
        try:
            if len(matching) != 1:
                which = f"{len(matching)} songs" if matching else "no song"
                raise ValueError(f"has the name of {which} of the database")
            if matching[0].song_id in found:
                raise ValueError("is of a song for which there is another file")
            found[matching[0].song_id] = _sections(read_json(path), matching[0].duration_s)
        except (OSError, ValueError, KeyError, TypeError) as error:
            problems.append((path, f"is not used: {' '.join(str(error).split())}"))
    return found, problems


def _sections(data: Mapping[str, Any], duration_s: float) -> list[Section]:
    """Return the segments as sections; raises ValueError for what is not All-In-One's."""
    if not isinstance(data, Mapping) or not isinstance(data.get("segments"), list):
        raise ValueError("there is no list 'segments'")
    segments = [(float(s["start"]), float(s["end"]), str(s["label"])) for s in data["segments"]]
    if not segments:
        raise ValueError("'segments' is empty")
    times = [0.0, *(time for start_s, end_s, _ in segments for time in (start_s, end_s))]
    if not all(math.isfinite(time) for time in times) or times != sorted(times):
        raise ValueError("its segments are not in order of time")
    if abs(times[-1] - duration_s) > _LENGTH_TOLERANCE_S:
        raise ValueError(f"is of a recording of {times[-1]:.1f} s; the song has {duration_s:.1f} s")
    named = [(start_s, label_of(name)) for start_s, end_s, name in segments if end_s > start_s]
    # "start" and "end" are what lies before the first beat and after the last one.
    kept = [(start_s, label or "bridge") for start_s, label in named if label != ""]
    if not kept:
        raise ValueError("none of its segments is a section")
    starts = [0.0, *(start_s for start_s, _ in kept[1:]), duration_s]
    spans = itertools.pairwise(starts)
    return [Section(a, b, label) for (a, b), (_, label) in zip(spans, kept, strict=True)]


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.lower())
