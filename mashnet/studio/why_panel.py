"""The lower part of the page: how the score moves with the vocal, and what the music says."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from mashnet.data.song_clips import VOCAL
from mashnet.mashups.proposals import Proposal
from mashnet.models.scorer import Scorer
from mashnet.studio.charts import curve_chart, reason_chart, score_range
from mashnet.studio.hearing import Pair
from mashnet.studio.pairs import original_of
from mashnet.studio.reasons import Reason, reasons_of
from mashnet.studio.vocal_moves import HEARD_S, Curve, curves_of
from mashnet.studio.wording import plain, verdict

_KEPT = 64  # explanations
_WITH = {
    "harmonic": "With the harmony",
    "percussion": "With the drums",
    "accompaniment": "With the music",
}
_TITLES = {"pitch": "In pitch", "tempo": "In tempo", "beats": "In time"}


def why_panel(pair: Pair, scorer: Scorer, identity: str) -> None:
    """Explain a score on request.

    Args:
        pair: what is looked at.
        scorer: who judged.
        identity: of the judge.
    """
    st.subheader("Why?")
    wanted = f"{pair.proposal.proposal_id} {identity}"
    place = st.empty()
    if wanted not in st.session_state.setdefault("explained", set()):
        asked = place.button("Explain the score", icon=":material/query_stats:")
        if not asked:
            return
        st.session_state["explained"].add(wanted)
    known = _recent()
    if wanted not in known:
        known[wanted] = _explained(pair.proposal, scorer, place)
        while len(known) > _KEPT:
            known.popitem(last=False)
    curves, reasons = known[wanted]
    place.empty()
    st.markdown(f"**If the vocal were moved**, how would {plain(scorer.name)} judge?")
    limits = score_range(curves)
    widest = max(float(np.ptp(curve.scores)) for curve in curves)
    for column, curve in zip(st.columns(len(curves)), curves, strict=True):
        column.markdown(_TITLES[curve.kind.name])
        column.altair_chart(curve_chart(curve, limits))
        column.caption(verdict(curve, widest))
    st.caption(
        f"Score against how far the vocal is moved; black: as it was laid. Heard: the "
        f"{HEARD_S:.0f} s in which most is sung."
    )
    st.markdown("**What fits**, by AutoMashUpper's rule?")
    for column, reason in zip(st.columns(len(reasons)), reasons, strict=True):
        column.markdown(_WITH.get(reason.role, reason.role))
        column.altair_chart(reason_chart(reason))
    own = " Black lines: the song's own vocal." if any(r.own for r in reasons) else ""
    st.caption(
        "Harmonic: the same notes at the same time (−1 to 1). Rhythmic: onsets at the same moments "
        f"(−1 to 1). Spectral: low, middle and high are evenly filled (0 to 1).{own}"
    )


@st.cache_resource
def _recent() -> OrderedDict[str, tuple[list[Curve], list[Reason]]]:
    """Return explanations by pair and judge, shared by all visits; the oldest go first."""
    return OrderedDict()


def _explained(
    proposal: Proposal, scorer: Scorer, place: DeltaGenerator
) -> tuple[list[Curve], list[Reason]]:
    def progress(share: float) -> None:
        place.progress(0.7 * share, "Moving the vocal …")

    progress(0.0)
    curves = curves_of(scorer, proposal, progress=progress)
    place.progress(0.7, "Comparing notes, onsets and balance …")
    own = original_of(proposal.base, proposal.guests[VOCAL].placement)
    vocal, own_vocal = proposal.candidate[VOCAL], own.candidate[VOCAL] if own else None
    return curves, reasons_of(proposal.query, vocal, own_vocal)
