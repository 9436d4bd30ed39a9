"""Pairs of a library, scored once: what is known stays in the library's cache.

A score is kept under the pair (which sounds, how they are moved) and the judge (weights, settings),
so that nothing stale is ever read. They are written a few at a time: who closes the page in between
loses seconds.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from mashnet.data.candidates import Limits
from mashnet.data.mashupdb import MashupDB
from mashnet.data.song_clips import VOCAL, clips_with
from mashnet.errors import DatabaseError
from mashnet.evaluation.mixes import score_groups
from mashnet.files import write_json
from mashnet.models.scorer import Scorer
from mashnet.rendering.proposals import MUSIC, LibraryClip, Proposal, original, vocals_on_music
from mashnet.studio.wording import distinct_titles

SCORES_VERSION = 1  # raised where the same judge would score the same pair otherwise
ALL_AT_ONCE = 12  # songs of a library whose pairs are all scored; of a larger one those of a base
MOST_PAIRS = 200  # that are scored for one look at the page: those that are moved least
_AT_ONCE = 6  # pairs between two writes, and two signs of life
RANKED = {
    "rank": pl.Int64,
    "score": pl.Float64,
    "music": pl.String,
    "vocal": pl.String,
    "semitones": pl.Int64,
    "tempo_ratio": pl.Float64,
    "proposal_id": pl.String,
}


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
            kept = json.loads(self.path.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return kept if isinstance(kept, dict) else {}

    def add(self, scores: dict[str, float]) -> None:
        """Add scores to those on disk.

        Raises:
            DatabaseError: if the file cannot be written.
        """
        try:
            write_json(self.path, {**self.read(), **scores})
        except OSError as error:
            raise DatabaseError(
                f"{self.path} cannot be written: {error.strerror or error}"
            ) from error


def bases_of(database: MashupDB) -> list[LibraryClip]:
    """Return clips whose accompaniment others may sing over, one of each song, by title.

    Raises:
        DatabaseError: if there is none, or nobody to sing.
    """
    bases = [
        LibraryClip(database, clip_id)
        for clip_id in clips_with(database, MUSIC, split="all", which="one")
    ]
    usable = [
        base
        for base in bases
        if base.row["tempo_bpm"] and base.row["downbeats"] and base.row["key_tonic"] is not None
    ]
    if not usable or not clips_with(database, [VOCAL], split="all", which="one"):
        raise DatabaseError(
            f"{database.root} has nothing to put together: the studio needs a song with a vocal "
            f"and another with {' and '.join(MUSIC)} stems, beats and a key"
        )
    return sorted(usable, key=lambda base: (base.title.lower(), base.clip_id))


def proposals_of(
    database: MashupDB, bases: Sequence[LibraryClip], limits: Limits
) -> tuple[list[Proposal], int]:
    """Propose vocals for some bases, those that are moved least first.

    Args:
        database: the library.
        bases: of `bases_of`.
        limits: how far a vocal may be moved.

    Returns:
        At most `MOST_PAIRS` pairs, and how many there are.
    """
    found = vocals_on_music(database, limits=limits, bases={base.clip_id for base in bases})
    found.sort(key=lambda p: (p.distance, p.base.clip_id, p.guests[VOCAL].clip.clip_id))
    return found[:MOST_PAIRS], len(found)


def original_of(base: LibraryClip) -> Proposal | None:
    """Return a base with its own vocal, to compare with; None where it has none."""
    has_vocal = VOCAL in base.database.sounding_stems.get(base.clip_id, {})
    return original(base) if has_vocal else None


def scores_of(
    scorer: Scorer,
    proposals: Sequence[Proposal],
    store: ScoreStore,
    *,
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> dict[str, float]:
    """Score proposals that have no score yet.

    Args:
        scorer: whom to ask.
        proposals: what to ask about.
        store: of this Scorer.
        progress: is told how many of how many new ones are done.

    Returns:
        Scores by the proposal's id, of all proposals.
    """
    known = store.read()
    new = [proposal for proposal in proposals if proposal.proposal_id not in known]
    # Base by base, so that its accompaniment is heard once.
    new.sort(key=lambda proposal: proposal.base.clip_id)
    for begin in range(0, len(new), _AT_ONCE):
        progress(begin, len(new))
        some = new[begin : begin + _AT_ONCE]
        values = score_groups(scorer, [(p.query, p.candidate) for p in some], what="mashups")
        fresh = {p.proposal_id: float(v) for p, v in zip(some, values, strict=True)}
        store.add(fresh)
        known |= fresh
    progress(len(new), len(new))
    return {proposal.proposal_id: known[proposal.proposal_id] for proposal in proposals}


def ranking(proposals: Sequence[Proposal], scores: dict[str, float]) -> pl.DataFrame:
    """Return a row per proposal with the columns of `RANKED`, best first.

    Of equal scores the one that is moved less comes first.
    """
    clips = {clip.clip_id: clip for p in proposals for clip in (p.base, p.guests[VOCAL].clip)}
    titles = distinct_titles(clips.values())
    ordered = sorted(proposals, key=lambda p: (-scores[p.proposal_id], p.distance, p.proposal_id))
    rows: list[dict[str, Any]] = [
        {
            "rank": rank,
            "score": scores[proposal.proposal_id],
            "music": titles[proposal.base.clip_id],
            "vocal": titles[proposal.guests[VOCAL].clip.clip_id],
            "semitones": proposal.guests[VOCAL].semitones,
            "tempo_ratio": proposal.guests[VOCAL].tempo_ratio,
            "proposal_id": proposal.proposal_id,
        }
        for rank, proposal in enumerate(ordered, start=1)
    ]
    return pl.DataFrame(rows, schema=RANKED)


def with_title(ranked: pl.DataFrame, text: str) -> pl.DataFrame:
    """Keep rows of which one title contains a text, whatever its case."""
    wanted = text.strip().lower()
    if not wanted:
        return ranked
    titles = [pl.col(name).str.to_lowercase() for name in ("music", "vocal")]
    return ranked.filter(pl.any_horizontal(t.str.contains(wanted, literal=True) for t in titles))
