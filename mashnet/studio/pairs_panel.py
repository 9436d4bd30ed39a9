"""The upper part of the page for a song chosen by hand: vocals over its music, best first."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import streamlit as st

from mashnet.data.mashupdb import MashupDB
from mashnet.data.mixes.candidates import Limits
from mashnet.mashups.kept_scores import ScoreStore
from mashnet.mashups.proposals import LibraryClip, Proposal
from mashnet.models.scorer import Scorer
from mashnet.music.tempo_levels import level_name
from mashnet.studio.hearing import Pair, heard, looked_at
from mashnet.studio.pairs import proposals_of, ranking
from mashnet.studio.table import chosen_row, with_typed_title
from mashnet.studio.wording import plain


def pairs_panel(
    database: MashupDB,
    bases: Sequence[LibraryClip],
    limits: Limits,
    scorer: Scorer,
    store: ScoreStore,
    placed: Sequence[Proposal] = (),
) -> Pair | None:
    """Score pairs, list them, and return the one that is chosen.

    Args:
        database: the library.
        bases: whose music; none: ask for one.
        limits: how far vocals may be moved.
        scorer: who judges.
        store: of its scores.
        placed: pairs of these bases that were compared as they lie, best first.

    Returns:
        The chosen pair, at first the best; None where there is none.
    """
    if not bases:
        st.info(
            "Choose a song on the left: the vocals of all others are tried over its music.",
            icon=":material/arrow_back:",
        )
        return None
    proposals, found = proposals_of(database, bases, limits, placed)
    if not proposals:
        st.info("No other vocal comes near enough in key and tempo: move the limits on the left.")
        return None
    scores = heard(scorer, proposals, store)
    some = f"{found} pairs"
    if found > len(proposals):
        which = "fit best before anything is moved" if placed else "are moved least"
        some = f"the {len(proposals)} of {found} that {which}"
    proposals = [proposal for proposal in proposals if proposal.proposal_id in scores]
    ranked = ranking(proposals, scores)
    counted, text = st.columns([2, 1], vertical_alignment="center")
    counted.caption(
        f"{some} within the limits, by **{plain(scorer.name)}**; scores mean something only beside "
        f"each other."
    )
    shown = with_typed_title(ranked, text)
    if not len(shown):
        return None
    row = shown.row(_chosen(shown, name_music=len(bases) > 1), named=True)
    (proposal,) = (p for p in proposals if p.proposal_id == row["proposal_id"])
    place = f"By {scorer.name}. Place {row['rank']} of {len(ranked)}."
    return looked_at(proposal, row["score"], place, scorer, store)


def _chosen(shown: pl.DataFrame, *, name_music: bool) -> int:
    table = shown.select(
        "rank",
        "score",
        *(["music"] if name_music else []),
        "vocal",
        "semitones",
        "cents",
        (100 * (pl.col("tempo_ratio") - 1)).alias("tempo"),
        pl.col("tempo_level").map_elements(level_name, return_dtype=pl.String).alias("beats"),
    )
    return chosen_row(
        table,
        {
            "music": st.column_config.TextColumn("Music of", width="medium"),
            "vocal": st.column_config.TextColumn(
                "Vocal of", width="medium" if name_music else "large"
            ),
            "semitones": st.column_config.NumberColumn(
                "Semitones", format="%+d", width="small", help="how far the vocal is shifted"
            ),
            "cents": st.column_config.NumberColumn(
                "Cents",
                format="%+.0f",
                width="small",
                help="on top: from its tuning to the music's",
            ),
            "tempo": st.column_config.NumberColumn(
                "Tempo", format="%+.0f %%", width="small", help="how much faster the vocal is made"
            ),
            "beats": st.column_config.TextColumn(
                "Beats", width="small", help="half time: one beat of the vocal on two of the music"
            ),
        },
    )
