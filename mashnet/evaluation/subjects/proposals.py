"""The mashups that could be made of a MashupDB's split."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Protocol

from mashnet.data.mixes.candidates import Limits
from mashnet.data.mixes.part_store import PartStore
from mashnet.data.roles import ROLES, have
from mashnet.data.song_clips import left_out
from mashnet.evaluation.subjects.split import DatabaseSplit
from mashnet.mashups.damaged_stems import damaged_proposals
from mashnet.mashups.proposals import LibraryClip, Proposal, original, vocals_on_music


class ProposalSource(Protocol):
    """Where the protocol gets proposals from."""

    name: str
    split: str

    def proposals(self, limits: Limits, clips: str) -> list[Proposal]:
        """Return what could be made within limits, nothing of it rendered."""

    def originals(self, bases: Sequence[LibraryClip]) -> list[Proposal]:
        """Return those bases as they are in which all roles sound."""

    def prepare(self, proposals: Sequence[Proposal]) -> dict[str, str]:
        """Render what Scorers hear; return proposal_id → reason of those that cannot be heard."""

    def left_out(self) -> list[str]:
        """Say which songs of the split take no part, and why."""


class DatabaseProposals(DatabaseSplit):
    """A ProposalSource over one split; parts are rendered once, into the database's own folder."""

    def proposals(self, limits: Limits, clips: str) -> list[Proposal]:
        """Return every vocal on every other song's music, base by base.

        Args:
            limits: how far a vocal may be moved.
            clips: one of each song, or all.

        Raises:
            ConfigError: if `clips` is something else.
        """
        return vocals_on_music(
            self.database, split=self.split, limits=limits, which=clips, store=self._store
        )

    def originals(self, bases: Sequence[LibraryClip]) -> list[Proposal]:
        """Return those bases as they are in which all roles sound."""
        complete = [b for b in bases if have(self.database.sounding_stems[b.clip_id], ROLES)]
        return [original(base, store=self._store) for base in complete]

    def prepare(self, proposals: Sequence[Proposal]) -> dict[str, str]:
        """Render what Scorers hear; return proposal_id → reason of those that cannot be heard."""
        return damaged_proposals(self._store, proposals)

    def left_out(self) -> list[str]:
        """Say which songs of the split take no part, and why."""
        said = left_out(self.database, self.split)
        return [said] if said else []

    @cached_property
    def _store(self) -> PartStore:
        return PartStore(self.database)
