"""What PlaceNet finds in a library before anything is moved, kept for all visits."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import streamlit as st

from mashnet.data.mashupdb import MashupDB
from mashnet.data.mixes.candidates import Limits
from mashnet.data.phrases.beat_store import BeatStore
from mashnet.library.placing import best_pairs
from mashnet.mashups.proposals import LibraryClip, Proposal
from mashnet.mashups.shortlist import proposal_of
from mashnet.models.phrases.scoring import PhraseScorer

_KEPT = 32  # lists of pairs


@dataclass(frozen=True)
class Placer:
    """Who compares phrases as they lie, and a hash of all that its scores depend on."""

    scorer: PhraseScorer
    identity: str


@dataclass(frozen=True)
class Placed:
    """What was found.

    Attributes:
        proposals: pairs as PlaceNet lays them, best first.
        left_out: which songs could not be compared, and why, a line each.
    """

    proposals: list[Proposal]
    left_out: list[str]


def placed_pairs(
    database: MashupDB,
    placer: Placer,
    limits: Limits,
    *,
    most: int,
    base: LibraryClip | None = None,
) -> Placed:
    """Return the best pairs of a library; the page says what it waits for.

    Args:
        database: the library.
        placer: who compares.
        limits: how far a vocal may be moved.
        most: how many pairs.
        base: on whose music; None: on that of all songs.
    """
    wanted = (database, placer.identity, limits, most, base.clip_id if base else None)
    known = _recent()
    if wanted not in known:
        known[wanted] = _found(database, placer.scorer, limits, most, base)
        while len(known) > _KEPT:
            known.popitem(last=False)
    return known[wanted]


@st.cache_resource
def _recent() -> OrderedDict[tuple, Placed]:
    """Return what was found, by library and judge; the oldest go first.

    A library that is opened anew after a rebuild is another one.
    """
    return OrderedDict()


def _found(
    database: MashupDB,
    placer: PhraseScorer,
    limits: Limits,
    most: int,
    base: LibraryClip | None,
) -> Placed:
    place = st.empty()

    def progress(done: int, total: int) -> None:
        said = f"Songs are read bar by bar, once for all visits: {done} of {total} …"
        place.progress(done / total, said)

    with st.spinner("Comparing every vocal with every accompaniment …"):
        found = best_pairs(
            database,
            placer,
            limits=limits,
            most=most,
            bases={base.clip_id} if base else None,
            store=BeatStore(database, progress=progress),
        )
    place.empty()
    proposals = (proposal_of(database, pair) for pair in found.pairs)
    return Placed([proposal for proposal in proposals if proposal], found.left_out)
