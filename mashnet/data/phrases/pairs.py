"""Which sides of a clip belong together: its vocal and its music, a stem and all the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mashnet.data.mashupdb import MashupDB
from mashnet.data.phrases.beat_store import Side
from mashnet.data.roles import PERCUSSION, VOCAL, music_roles


@dataclass(frozen=True)
class SidePair:
    """Two sides of one clip.

    Attributes:
        lead: the vocal, or one stem with a pitch.
        backing: what it is heard with.
        song_id: of the clip.
    """

    lead: Side
    backing: Side
    song_id: str

    @property
    def clip_id(self) -> str:
        """The clip they are of."""
        return self.lead.clip_id


def vocal_side(database: MashupDB, clip_id: str) -> Side | None:
    """Return a clip's vocal; None where none sounds."""
    return side_of(database, clip_id, (VOCAL,))


def music_side(database: MashupDB, clip_id: str) -> Side | None:
    """Return a clip's music without the vocal; None where it is not whole."""
    roles = music_roles(database.sounding_stems.get(clip_id, {}))
    return side_of(database, clip_id, roles) if roles else None


def side_of(database: MashupDB, clip_id: str, roles: Sequence[str]) -> Side | None:
    """Return what sounds of some roles of a clip, together; None where nothing does."""
    stems = database.sounding_stems.get(clip_id, {})
    ids = sorted(stem["stem_id"] for role in roles for stem in stems.get(role, ()))
    return Side(clip_id, tuple(ids)) if ids else None


def pairs_of(database: MashupDB, clip_id: str) -> list[SidePair]:
    """Return all pairs of a clip that a network can learn from.

    Besides the vocal and its music each stem with a pitch leads once, against all the others: few
    songs have a singer, and what a guitar is heard with teaches harmony and rhythm, too.
    """
    song_id = database.clip_rows[clip_id]["song_id"]
    stems = [stem for stems in database.sounding_stems.get(clip_id, {}).values() for stem in stems]
    vocal, music = vocal_side(database, clip_id), music_side(database, clip_id)
    found = [SidePair(vocal, music, song_id)] if vocal and music else []
    for stem in stems:
        others = [other for other in stems if other is not stem]
        if stem["role"] == PERCUSSION or all(o["role"] == PERCUSSION for o in others):
            continue
        lead = Side(clip_id, (stem["stem_id"],))
        backing = Side(clip_id, tuple(sorted(other["stem_id"] for other in others)))
        if SidePair(lead, backing, song_id) not in found:
            found.append(SidePair(lead, backing, song_id))
    return found
