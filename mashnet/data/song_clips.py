"""Which clips stand for the songs of a library."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from mashnet.data.mashupdb import MashupDB
from mashnet.data.roles import VOCAL as VOCAL
from mashnet.data.roles import have, music_roles
from mashnet.errors import require_one_of

WHICH = ("one", "all")  # clips of a song


def clips_of_split(database: MashupDB, split: str) -> list[str]:
    """Return the clip ids of a split (all: of every one) in the order of their songs."""
    rows = database.clips.sort("song_id", "clip_id").iter_rows(named=True)
    return [row["clip_id"] for row in rows if split in ("all", row["split"])]


def clips_with(database: MashupDB, roles: Sequence[str], *, split: str, which: str) -> list[str]:
    """Return clips in which all of some roles sound, in the order of their songs.

    Args:
        database: the library.
        roles: what must sound; an accompaniment stands for harmonic and percussion together.
        split: train, val, test or all.
        which: one: of each song the clip whose vocal sounds for longest, of those with beats and
            a key if there are any; or all.

    Raises:
        ConfigError: if `which` is something else.
    """
    require_one_of("clips", which, WHICH)
    by_song: dict[str, list[str]] = {}
    for clip_id in clips_of_split(database, split):
        if have(database.sounding_stems.get(clip_id, {}), roles):
            by_song.setdefault(database.clip_rows[clip_id]["song_id"], []).append(clip_id)
    if which == "one":
        by_song = {
            song: [max(clips, key=lambda c: (not _lacks(database, c), _sung_s(database, c)))]
            for song, clips in by_song.items()
        }
    return [clip_id for clips in by_song.values() for clip_id in clips]


def left_out(database: MashupDB, split: str = "all") -> str:
    """Say how many songs can be in no mashup, and what they lack; empty if none.

    Args:
        database: the library.
        split: train, val, test or all.
    """
    lacks: dict[str, list[str]] = {}
    for clip_id in clips_of_split(database, split):
        song = database.clip_rows[clip_id]["song_id"]
        lacks.setdefault(song, []).append(_lacks(database, clip_id))
    # Of a song in several clips one that lacks nothing is enough.
    reasons = Counter(max(of_clips) for of_clips in lacks.values() if all(of_clips))
    if not reasons:
        return ""
    counted = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
    return f"{reasons.total()} of {len(lacks)} songs take no part: {counted}"


def _lacks(database: MashupDB, clip_id: str) -> str:
    """Return what keeps a clip from being moved and heard; empty if nothing does."""
    row, roles = database.clip_rows[clip_id], set(database.sounding_stems.get(clip_id, {}))
    if not row["tempo_bpm"] or not row["downbeats"]:
        return "without beats"
    if row["key_tonic"] is None:
        return "without a key"
    if VOCAL not in roles and not music_roles(roles):
        return "with neither a vocal nor an accompaniment that sounds"
    return ""


def _sung_s(database: MashupDB, clip_id: str) -> float:
    """Return for how many seconds the vocals of a clip sound, the most active one counting."""
    shares = [
        1.0 if stem["active_ratio"] is None else stem["active_ratio"]
        for stem in database.sounding_stems[clip_id].get(VOCAL, [])
    ]
    return max(shares, default=0.0) * (database.clip_rows[clip_id]["duration_s"] or 0.0)
