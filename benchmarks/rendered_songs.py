"""The songs of a library that renderings are measured with."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mashnet.data.mashupdb import MashupDB
from mashnet.music.sections import Section
from mashnet.rendering.songs import SongOfLibrary, song_of_library

BARS_PER_SECTION = 8


def songs_of(database: MashupDB, count: int) -> list[SongOfLibrary]:
    """Return songs evenly spread over the library, one clip each, with sections."""
    clips: dict[str, str] = {}
    for row in database.clips.sort("source", "title").iter_rows(named=True):
        clips.setdefault(row["song_id"], row["clip_id"])
    chosen = list(clips.values())
    spread = np.linspace(0, len(chosen) - 1, min(count, len(chosen))).round().astype(int)
    return [with_sections(song_of_library(database, chosen[i])[0]) for i in spread]


def with_sections(song: SongOfLibrary) -> SongOfLibrary:
    """Return a song with its sections, or with eight bars each."""
    facts = song.facts
    if facts.sections or len(facts.downbeats_s) < 2:
        return song
    starts = list(facts.downbeats_s[::BARS_PER_SECTION])
    ends = [*starts[1:], facts.duration_s]
    sections = tuple(
        Section(start, end, ("verse", "chorus")[index % 2])
        for index, (start, end) in enumerate(zip(starts, ends, strict=True))
    )
    return replace(song, facts=replace(facts, sections=sections))


def stem_to_give(song: SongOfLibrary) -> str:
    """Return the name of the stem that a song gives to others."""
    for name in ("vocals", "drums", "other"):
        if song.stems_named(name):
            return name
    return song.stems[0].label


def long_enough(song: SongOfLibrary) -> bool:
    return len(song.facts.beats_s) > 16 and song.facts.duration_s > 20
