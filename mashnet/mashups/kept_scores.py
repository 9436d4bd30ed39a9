"""A cache of proposals' scores in the library's folder.

A score is kept under the pair (which sounds, how they are moved) and the judge (weights, settings),
so that nothing stale is ever read. They are written a few at a time: who stops in between loses
seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from mashnet.data.mashupdb import MashupDB
from mashnet.errors import AudioError, DatabaseError
from mashnet.files import write_json, written_atomically
from mashnet.mashups.proposals import Proposal
from mashnet.models.score_matrix import score_groups
from mashnet.models.scorer import Scorer
from mashnet.storage.folder_lock import one_at_a_time
from mashnet.storage.regular_files import read_json

SCORES_VERSION = 1  # raised where the same judge would score the same pair otherwise
_AT_ONCE = 6  # pairs between two writes, and two signs of life


class ScoreStore:
    """Scores of one judge on disk."""

    def __init__(self, folder: Path, judge: str) -> None:
        """Name the file; what is in it is read when it is asked for.

        Args:
            folder: where the studio keeps scores of this library.
            judge: its identity.
        """
        self.path = folder / f"scores-v{SCORES_VERSION}-{judge}.json"

    def read(self) -> dict[str, float]:
        """Return scores by the proposal's id; none if the file is missing or damaged."""
        try:
            kept = read_json(self.path)
        except (OSError, ValueError):
            return {}
        return kept if isinstance(kept, dict) else {}

    def add(self, scores: dict[str, float]) -> None:
        """Add scores to those on disk.

        Raises:
            DatabaseError: if the file cannot be written.
        """
        try:
            with one_at_a_time(self.path.parent):
                write_json(self.path, {**self.read(), **scores})
        except OSError as error:
            raise DatabaseError(
                f"{self.path} cannot be written: {error.strerror or error}"
            ) from error


def open_library(folder: str | Path) -> tuple[MashupDB, Path]:
    """Open a library, and the folder in it where scores are kept.

    Raises:
        DatabaseError: if it is no MashupDB, or must not be written to.
    """
    database = MashupDB.open(folder)
    kept = database.place("cache", "scores")
    try:
        with written_atomically(kept / "writable") as temporary:
            temporary.touch()
        (kept / "writable").unlink(missing_ok=True)
    except OSError as error:
        raise DatabaseError(
            f"{kept} cannot be written to: {error.strerror or error}. Scores are kept "
            f"there; copy the library to a folder of yours, or ask for the right to write."
        ) from error
    return database, kept


def scores_of(
    scorer: Scorer,
    proposals: Sequence[Proposal],
    store: ScoreStore,
    *,
    progress: Callable[[int, int], object] = lambda done, total: None,
    failed: dict[str, str] | None = None,
) -> dict[str, float]:
    """Score proposals that have no score yet.

    Args:
        scorer: whom to ask.
        proposals: what to ask about.
        store: of this Scorer.
        progress: is told how many of how many new ones are done.
        failed: gets the reason, by the proposal's id, of those whose stems cannot be read; None:
            the first of them is raised.

    Returns:
        Scores by the proposal's id, of all proposals that did not fail.

    Raises:
        AudioError: if a stem cannot be read and nobody asked for what failed.
        DatabaseError: if scores cannot be kept.
    """
    known = store.read()
    new = [proposal for proposal in proposals if proposal.proposal_id not in known]
    # Base by base, so that its accompaniment is heard once.
    new.sort(key=lambda proposal: proposal.base.clip_id)
    for begin in range(0, len(new), _AT_ONCE):
        progress(begin, len(new))
        some = new[begin : begin + _AT_ONCE]
        fresh = _asked(scorer, some, failed)
        store.add(fresh)
        known |= fresh
    progress(len(new), len(new))
    return {p.proposal_id: known[p.proposal_id] for p in proposals if p.proposal_id in known}


def _asked(
    scorer: Scorer, some: Sequence[Proposal], failed: dict[str, str] | None
) -> dict[str, float]:
    """Score a few proposals; where a stem cannot be read, those that have nothing to do with it."""
    try:
        values = score_groups(scorer, [(p.query, p.candidate) for p in some], what="mashups")
    except AudioError as error:
        if failed is None:
            raise
        if len(some) == 1:
            failed[some[0].proposal_id] = str(error)
            return {}
        return {k: v for one in some for k, v in _asked(scorer, [one], failed).items()}
    return {p.proposal_id: float(v) for p, v in zip(some, values, strict=True)}
