"""The stems of each clip of a MashupDB: where they lie, or why they cannot be used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mashnet.data.mashupdb import MashupDB
from mashnet.errors import DatabaseError

Stems = tuple[tuple[Mapping[str, Any], Path], ...]  # rows of stems.parquet, where they lie


def stems_of_clips(database: MashupDB) -> Iterator[tuple[dict[str, Any], Stems, str]]:
    """Yield the row of each clip, its stems, and why these cannot be used ("": they can)."""
    stems = database.stems.partition_by("clip_id", as_dict=True)
    for clip in database.clips.iter_rows(named=True):
        rows = stems[clip["clip_id"],].to_dicts() if (clip["clip_id"],) in stems else []
        found: Stems = ()
        refused = ""
        try:
            found = tuple((row, database.audio_path(row["stem_id"])) for row in rows)
        except DatabaseError as error:
            refused = str(error)
        yield clip, found, refused
