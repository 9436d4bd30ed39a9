"""Songs of a library as a mashup needs them: facts for the plan, and stems by name."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mashnet.audio.io import length_s
from mashnet.data.mashupdb import MashupDB
from mashnet.data.roles import ACCOMPANIMENT, MUSIC, ROLES
from mashnet.errors import DatabaseError, near_miss
from mashnet.music.song_facts import SongFacts

# What people call a stem → the role it has in a MashupDB, where no stem is labelled so.
_ROLE_OF_NAME = {
    "vocals": "vocal",
    "drums": "percussion",
    "other": "harmonic",
}
_BASS = "bass"
_ROUNDED_S = 1.0  # by what a row may say more than there is


@dataclass(frozen=True)
class StemFile:
    """One stem of a song.

    Attributes:
        stem_id: in its MashupDB; unique.
        label: the instrument's name, possibly a path ("guitar/electric guitar").
        role: vocal, harmonic, percussion, accompaniment, or empty.
        path: a sound file that begins where the song's clip begins.
    """

    stem_id: str
    label: str
    role: str
    path: Path

    @property
    def pitched(self) -> bool:
        """Whether it moves with the key: all but percussion."""
        return self.role != "percussion"


@dataclass(frozen=True)
class SongOfLibrary:
    """A clip of a MashupDB.

    Attributes:
        clip_id: in its MashupDB.
        title: and artist: as in clips.parquet.
        facts: what the plan needs.
        stems: all of them.
        sample_rate: of the stems, in Hz.
        level_db: root mean square of all stems together, in dBFS.
    """

    clip_id: str
    title: str
    artist: str
    facts: SongFacts
    stems: tuple[StemFile, ...]
    sample_rate: int
    level_db: float

    def has(self, role: str) -> bool:
        """Return whether a stem has a role."""
        return any(stem.role == role for stem in self.stems)

    def stems_named(self, name: str) -> tuple[StemFile, ...]:
        """Return the stems that a name means; none where the song has nothing of the kind.

        A role (vocal, harmonic, percussion) means all stems that have it, whatever they are
        called: a vibraphone labelled "percussion/vibraphone" is none of the drums. Else a label,
        or one step of it, comes first ("bass", "electric guitar"); then what the name usually
        stands for: vocals is what has the vocal role, other is what has the harmonic role and is
        no bass. The accompaniment is the stem of that role, else harmonic and percussion together.
        """
        wanted = name.lower().replace("_", " ")
        if wanted in ROLES or (wanted == ACCOMPANIMENT and self.has(ACCOMPANIMENT)):
            return tuple(stem for stem in self.stems if stem.role == wanted)
        singular = wanted.removesuffix("s")
        if wanted == ACCOMPANIMENT:
            return tuple(stem for stem in self.stems if stem.role in MUSIC)
        labelled = tuple(
            stem
            for stem in self.stems
            if {wanted, singular} & {s.removesuffix("s") for s in stem.label.lower().split("/")}
            or wanted in stem.label.lower().split("/")
        )
        if labelled:
            return labelled
        role = _ROLE_OF_NAME.get(wanted)
        return tuple(
            stem
            for stem in self.stems
            if role is not None
            and stem.role == role
            and not (wanted == "other" and _BASS in stem.label.lower())
        )


def song_of_library(database: MashupDB, name: str) -> tuple[SongOfLibrary, list[str]]:
    """Find a song by its clip id, its song id or its title.

    Args:
        database: the library.
        name: as typed.

    Returns:
        The song, and warnings: of a song in several clips the longest is taken.

    Raises:
        DatabaseError: if there is no such song, or it has no stems.
    """
    rows = list(database.clip_rows.values())
    found = [row for row in rows if name in (row["clip_id"], row["song_id"])]
    if not found:
        found = [row for row in rows if (row["title"] or "").lower() == name.lower()]
        songs = sorted({row["song_id"] for row in found})
        if len(songs) > 1:
            raise DatabaseError(
                f"{database.root}: {len(songs)} songs are called '{name}'; "
                f"say which: {', '.join(songs)}"
            )
    if not found:
        known = [str(row[key]) for row in rows for key in ("clip_id", "song_id", "title")]
        raise DatabaseError(
            f"{database.root}: there is no clip, song or title '{name}' among its {len(rows)} "
            f"clips.{near_miss(name, known)}"
        )
    row = max(found, key=lambda clip: clip["duration_s"])
    title = row["title"] or row["clip_id"]
    warnings = []
    if len(found) > 1:
        warnings.append(
            f"{title} lies in the library in {len(found)} clips; the longest is taken "
            f"({row['clip_id']}, {row['duration_s']:.0f} s)"
        )
    stems = [stem for stem in database.stem_rows.values() if stem["clip_id"] == row["clip_id"]]
    if not stems:
        raise DatabaseError(f"{database.root}: {title} ({row['clip_id']}) has no stems")
    levels = [stem["rms_db"] for stem in stems if stem["rms_db"] is not None]
    power = sum(10 ** (level / 10) for level in levels)
    files = tuple(
        StemFile(
            stem["stem_id"],
            stem["label"] or "",
            stem["role"] or "",
            database.audio_path(stem["stem_id"]),
        )
        for stem in stems
    )
    facts = database.facts_of(row["clip_id"])
    facts = replace(facts, duration_s=_duration_s(facts.duration_s, files))
    level_db = 10 * float(np.log10(max(power, 1e-12)))
    song = SongOfLibrary(
        row["clip_id"], title, row["artist"] or "", facts, files, row["sample_rate"], level_db
    )
    return song, warnings


def _duration_s(said_s: float, files: Sequence[StemFile]) -> float:
    """Return how long a clip lasts: as its row says, but no longer than its longest stem."""
    there_s = [length_s(file.path) for file in files]
    longest_s = max((length or math.inf for length in there_s), default=math.inf)
    return said_s if said_s <= longest_s + _ROUNDED_S else longest_s


def without(stems: Sequence[StemFile], others: Sequence[StemFile]) -> tuple[StemFile, ...]:
    """Return the stems that are not among the others."""
    taken = {stem.stem_id for stem in others}
    return tuple(stem for stem in stems if stem.stem_id not in taken)
