"""What the chosen Scorer says of pairs, told while it listens, and the pair that is looked at."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import streamlit as st

from mashnet.data.roles import VOCAL
from mashnet.errors import AudioError
from mashnet.mashups.kept_scores import ScoreStore, scores_of
from mashnet.mashups.proposals import Proposal
from mashnet.models.phrases.scoring import PhraseScorer
from mashnet.models.scorer import Scorer
from mashnet.studio.pairs import original_of
from mashnet.studio.wording import plain


@dataclass(frozen=True)
class Pair:
    """The pair that is looked at.

    Attributes:
        proposal: which.
        score: of the chosen Scorer.
        place: who judged, and where it stands in which list, in words.
        own_score: of the base with its own vocal; None where it has none.
    """

    proposal: Proposal
    score: float
    place: str
    own_score: float | None


def heard(scorer: Scorer, proposals: Sequence[Proposal], store: ScoreStore) -> dict[str, float]:
    """Return scores by the proposal's id; a bar shows how far it is, a line what cannot be read.

    Args:
        scorer: who judges. One that compares phrases as they lie has judged what it has placed.
        proposals: what to ask about.
        store: of this Scorer's scores.

    Raises:
        AudioError: if none of the proposals can be heard.
        DatabaseError: if scores cannot be kept.
    """
    compared = _compared(proposals) if isinstance(scorer, PhraseScorer) else {}
    asked = [proposal for proposal in proposals if proposal.proposal_id not in compared]
    place = st.empty()

    def progress(done: int, total: int) -> None:
        if total:
            place.progress(done / total, f"{plain(scorer.name)} listens: {done} of {total} pairs …")

    failed: dict[str, str] = {}
    scores = compared | scores_of(scorer, asked, store, progress=progress, failed=failed)
    place.empty()
    reasons = list(dict.fromkeys(failed.values()))
    if failed and not scores:
        raise AudioError(reasons[0])
    if failed:
        lines = [f"{len(failed)} of {len(proposals)} are left out:", *reasons]
        st.warning("  \n".join(map(plain, lines)), icon=":material/info:")
    return scores


def looked_at(
    proposal: Proposal, score: float, place: str, scorer: Scorer, store: ScoreStore
) -> Pair:
    """Return a chosen pair, beside which the base's own vocal is heard in the same bars."""
    own = original_of(proposal.base, proposal.guests[VOCAL].placement)
    scores: dict[str, float] = {}
    if own is not None:
        with suppress(AudioError):  # its own vocal may be damaged, and is not what was asked for
            scores = heard(scorer, [own], store)
    return Pair(proposal, score, place, scores.get(own.proposal_id) if own else None)


def _compared(proposals: Sequence[Proposal]) -> dict[str, float]:
    return {
        proposal.proposal_id: placement.score
        for proposal in proposals
        for placement in proposal.placements.values()
    }
