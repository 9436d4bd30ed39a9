"""A mashup that could be made: whose clips, and how they are moved.

`mashnet.mashups.proposals` makes them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mashnet.data.mashupdb import MashupDB
from mashnet.data.parts import Group
from mashnet.errors import ConfigError
from mashnet.files import content_id
from mashnet.music.placement import Placement


@dataclass(frozen=True)
class LibraryClip:
    """A clip and the library it lies in."""

    database: MashupDB
    clip_id: str

    @property
    def row(self) -> dict[str, Any]:
        """Its row of clips.parquet."""
        return self.database.clip_rows[self.clip_id]

    @property
    def song_id(self) -> str:
        """The song it is cut from."""
        return str(self.row["song_id"])

    @property
    def title(self) -> str:
        """The song's title, or the clip's id where it has none."""
        return str(self.row["title"] or self.clip_id)


@dataclass(frozen=True)
class Guest:
    """What one clip gives to a proposal, and how it is moved."""

    clip: LibraryClip
    semitones: int
    tempo_ratio: float  # above 1: it is made faster
    tempo_level: float = 1.0  # beats of the base that one of its beats lasts
    cents: float = 0.0  # on top of the semitones
    placement: Placement | None = None  # where a phrase of it is laid; None: first bar on first bar


@dataclass(frozen=True)
class Proposal:
    """A mashup that could be made.

    Attributes:
        base: its time, its key and all its other stems stay.
        guests: role → who gives it in the base's place; empty for an original.
        query: role → part: what of the base stays.
        candidate: role → part: what the guests bring (of an original: the base itself).
    """

    base: LibraryClip
    guests: Mapping[str, Guest]
    query: Group
    candidate: Group

    @property
    def proposal_id(self) -> str:
        """Hash of which sounds are heard together, and how they are moved."""
        parts = {**self.query, **self.candidate}
        return content_id("proposal", *(x for r in sorted(parts) for x in (r, parts[r].part_id)))

    @property
    def tuned(self) -> bool:
        """Whether guests are brought to the base's tuning, and not to its key alone."""
        return any(guest.cents for guest in self.guests.values())

    @property
    def placements(self) -> dict[str, Placement]:
        """Clip id → where it is laid, of the guests that have a placement.

        Raises:
            ConfigError: if one clip were to be laid in two places.
        """
        found: dict[str, Placement] = {}
        for guest in self.guests.values():
            if guest.placement is None:
                continue
            if found.setdefault(guest.clip.clip_id, guest.placement) != guest.placement:
                raise ConfigError(f"{guest.clip.title} has two placements: it is laid in one place")
        return found

    @property
    def distance(self) -> float:
        """How far the guests are moved: semitones, and 6 % of tempo for one of them.

        A DJ's turntable changes pitch and tempo together at this rate: 2^(1/12) is 5.9 %.
        """
        return sum(
            abs(guest.semitones + guest.cents / 100) + 12 * abs(math.log2(guest.tempo_ratio))
            for guest in self.guests.values()
        )
