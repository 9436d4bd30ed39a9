"""Which clips stand for the songs of a library."""

from __future__ import annotations

from collections.abc import Sequence

from mashnet.data.mashupdb import MashupDB
from mashnet.errors import require_one_of

WHICH = ("one", "all")  # clips of a song
VOCAL = "vocal"


def clips_of_split(database: MashupDB, split: str) -> list[str]:
    """Return the clip ids of a split (all: of every one) in the order of their songs."""
    rows = database.clips.sort("song_id", "clip_id").iter_rows(named=True)
    return [row["clip_id"] for row in rows if split in ("all", row["split"])]


def clips_with(database: MashupDB, roles: Sequence[str], *, split: str, which: str) -> list[str]:
    """Return clips in which all of some roles sound, in the order of their songs.

    Args:
        database: the library.
        roles: what must sound.
        split: train, val, test or all.
        which: one: of each song the clip whose vocal sounds for longest; or all.

    Raises:
        ConfigError: if `which` is something else.
    """
    require_one_of("clips", which, WHICH)
    by_song: dict[str, list[str]] = {}
    for clip_id in clips_of_split(database, split):
        if set(roles) <= set(database.sounding_stems.get(clip_id, {})):
            by_song.setdefault(database.clip_rows[clip_id]["song_id"], []).append(clip_id)
    if which == "one":
        by_song = {
            song: [max(clips, key=lambda clip: _sung_s(database, clip))]
            for song, clips in by_song.items()
        }
    return [clip_id for clips in by_song.values() for clip_id in clips]


def _sung_s(database: MashupDB, clip_id: str) -> float:
    """Return for how many seconds the vocals of a clip sound, the most active one counting."""
    shares = [
        1.0 if stem["active_ratio"] is None else stem["active_ratio"]
        for stem in database.sounding_stems[clip_id].get(VOCAL, [])
    ]
    return max(shares, default=0.0) * (database.clip_rows[clip_id]["duration_s"] or 0.0)
