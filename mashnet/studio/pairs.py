"""Pairs of a library as the page lists them: which are scored, in which order they stand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from mashnet.data.mashupdb import MashupDB
from mashnet.data.mixes.candidates import Limits
from mashnet.data.roles import MUSIC
from mashnet.data.song_clips import VOCAL, clips_with
from mashnet.errors import DatabaseError
from mashnet.mashups.proposals import LibraryClip, Proposal, original, vocals_on_music
from mashnet.music.bar_starts import phrase_s
from mashnet.music.placement import Placement
from mashnet.studio.wording import distinct_titles, meeting_words

# Songs of a library whose pairs are all scored where none can be compared as they lie; in a larger
# one those of a base are.
ALL_AT_ONCE = 12
MOST_PAIRS = 200  # that are scored for one look at the page
RANKED = {
    "rank": pl.Int64,
    "score": pl.Float64,
    "music": pl.String,
    "vocal": pl.String,
    "semitones": pl.Int64,
    "cents": pl.Float64,
    "tempo_ratio": pl.Float64,
    "tempo_level": pl.Float64,
    "proposal_id": pl.String,
}
MEETINGS = {
    "rank": pl.Int64,
    "score": pl.Float64,
    "sure": pl.Float64,
    "music": pl.String,
    "vocal": pl.String,
    "meet": pl.String,
    "proposal_id": pl.String,
}


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
    database: MashupDB,
    bases: Sequence[LibraryClip],
    limits: Limits,
    placed: Sequence[Proposal] = (),
) -> tuple[list[Proposal], int]:
    """Propose vocals for some bases: those that are placed, then those that are moved least.

    Args:
        database: the library.
        bases: of `bases_of`.
        limits: how far a vocal may be moved.
        placed: pairs of these bases that were compared as they lie, best first.

    Returns:
        At most `MOST_PAIRS` pairs, and how many there are.
    """
    compared = {_clips(proposal) for proposal in placed}
    found = vocals_on_music(database, limits=limits, bases={base.clip_id for base in bases})
    others = [proposal for proposal in found if _clips(proposal) not in compared]
    others.sort(key=lambda p: (p.distance, *_clips(p)))
    return [*placed, *others][:MOST_PAIRS], len(placed) + len(others)


def original_of(base: LibraryClip, placement: Placement | None = None) -> Proposal | None:
    """Return a base with its own vocal, to compare with; None where it has none.

    Args:
        base: a clip.
        placement: of the guest beside it: only these bars are heard; None: the whole clip.
    """
    if VOCAL not in base.database.sounding_stems.get(base.clip_id, {}):
        return None
    if placement is None:
        return original(base)
    facts = base.database.facts_of(base.clip_id)
    return original(base, heard_s=phrase_s(facts, placement.base_bar, placement.bars))


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
            "cents": proposal.guests[VOCAL].cents,
            "tempo_ratio": proposal.guests[VOCAL].tempo_ratio,
            "tempo_level": proposal.guests[VOCAL].tempo_level,
            "proposal_id": proposal.proposal_id,
        }
        for rank, proposal in enumerate(ordered, start=1)
    ]
    return pl.DataFrame(rows, schema=RANKED)


def meetings(proposals: Sequence[Proposal]) -> pl.DataFrame:
    """Return a row per placed proposal with the columns of `MEETINGS`, in their order."""
    clips = {clip.clip_id: clip for p in proposals for clip in (p.base, p.guests[VOCAL].clip)}
    titles = distinct_titles(clips.values())
    rows: list[dict[str, Any]] = []
    for rank, proposal in enumerate(proposals, start=1):
        placement = proposal.guests[VOCAL].placement
        assert placement is not None
        rows.append(
            {
                "rank": rank,
                "score": placement.score,
                "sure": placement.confidence,
                "music": titles[proposal.base.clip_id],
                "vocal": titles[proposal.guests[VOCAL].clip.clip_id],
                "meet": meeting_words(proposal),
                "proposal_id": proposal.proposal_id,
            }
        )
    return pl.DataFrame(rows, schema=MEETINGS)


def with_title(ranked: pl.DataFrame, text: str) -> pl.DataFrame:
    """Keep rows of which one title contains a text, whatever its case."""
    wanted = text.strip().lower()
    if not wanted:
        return ranked
    titles = [pl.col(name).str.to_lowercase() for name in ("music", "vocal")]
    return ranked.filter(pl.any_horizontal(t.str.contains(wanted, literal=True) for t in titles))


def _clips(proposal: Proposal) -> tuple[str, str]:
    return proposal.base.clip_id, proposal.guests[VOCAL].clip.clip_id
