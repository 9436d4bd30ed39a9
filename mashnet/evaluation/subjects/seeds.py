"""Vocals of one MashupDB, and what another could put under them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mashnet.data.mashupdb import MashupDB
from mashnet.data.mixes.candidates import Limits
from mashnet.data.mixes.part_store import PartStore
from mashnet.data.roles import ROLES, have
from mashnet.data.schemas import SPLITS
from mashnet.data.song_clips import VOCAL, left_out
from mashnet.errors import require_one_of
from mashnet.evaluation.subjects.split import DatabaseSplit
from mashnet.mashups.damaged_stems import damaged_proposals
from mashnet.mashups.proposals import LibraryClip, Proposal, music_under_vocals, original


@dataclass(frozen=True)
class Seed:
    """A vocal and its candidates.

    Attributes:
        base: the clip whose vocal asks.
        candidates: accompaniments of other songs.
        own: the vocal with its own accompaniment; None where the clip has none that is whole.
    """

    base: LibraryClip
    candidates: list[Proposal]
    own: Proposal | None


class SeedSource(Protocol):
    """Where the protocol gets seeds from."""

    name: str
    split: str

    def seeds(self, limits: Limits, num_candidates: int, seed: int) -> list[Seed]:
        """Return vocals with their candidates, nothing of it rendered."""

    def prepare(self, proposals: Sequence[Proposal]) -> dict[str, str]:
        """Render what Scorers hear; return proposal_id → reason of those that cannot be heard."""

    def left_out(self) -> list[str]:
        """Say which songs of the split take no part, and why."""


class DatabaseSeeds(DatabaseSplit):
    """A SeedSource over a library and a database of seeds; parts are rendered once."""

    def __init__(
        self,
        root: str | Path,
        *,
        split: str,
        query_db: str | Path | None = None,
        query_split: str | None = None,
    ) -> None:
        """Open both databases.

        Args:
            root: of the accompaniments.
            split: of the accompaniments: train, val, test or all.
            query_db: of the vocals; None: the same database.
            query_split: of the vocals; None: as that of the accompaniments.

        Raises:
            DatabaseError: if one is no database.
            ConfigError: if there is no such split.
        """
        super().__init__(root, split=split)
        self._query_db = MashupDB.open(query_db) if query_db else self.database
        self._query_split = require_one_of("query_split", query_split or split, (*SPLITS, "all"))
        if query_db:
            self.name = f"{query_db} ({self._query_split}) on {root}"
        self._store = PartStore(self.database)

    def seeds(self, limits: Limits, num_candidates: int, seed: int) -> list[Seed]:
        """Return every vocal for which the library has an accompaniment.

        Args:
            limits: how far an accompaniment may be moved.
            num_candidates: at most so many for a vocal.
            seed: of the draw, where there are more.
        """
        found = music_under_vocals(
            self._query_db,
            self.database,
            split=self._query_split,
            library_split=self.split,
            limits=limits,
            num_candidates=num_candidates,
            seed=seed,
            store=self._store,
        )
        return [
            Seed(candidates[0].base, candidates, self._own(candidates[0].base))
            for candidates in found
            if candidates
        ]

    def prepare(self, proposals: Sequence[Proposal]) -> dict[str, str]:
        """Render what Scorers hear; return proposal_id → reason of those that cannot be heard."""
        return damaged_proposals(self._store, proposals)

    def left_out(self) -> list[str]:
        """Say which songs of the split take no part, and why."""
        said = left_out(self._query_db, self._query_split)
        return [said] if said else []

    def _own(self, base: LibraryClip) -> Proposal | None:
        if have(base.database.sounding_stems[base.clip_id], ROLES):
            return original(base, (VOCAL,), self._store)
        return None
