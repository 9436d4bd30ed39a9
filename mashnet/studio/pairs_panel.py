"""The upper part of the page: pairs of songs, best first, of which one is looked at."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import polars as pl
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from mashnet.data.mashupdb import MashupDB
from mashnet.data.mixes.candidates import Limits
from mashnet.errors import AudioError
from mashnet.mashups.kept_scores import ScoreStore, scores_of
from mashnet.mashups.proposals import LibraryClip, Proposal
from mashnet.models.scorer import Scorer
from mashnet.music.tempo_levels import level_name
from mashnet.studio.pairs import original_of, proposals_of, ranking, with_title
from mashnet.studio.wording import plain

_SHOWN_ROWS = 8
_ROW_PX = 35


@dataclass(frozen=True)
class Pair:
    """The pair that is looked at.

    Attributes:
        proposal: which.
        score: of the chosen Scorer.
        rank: its place, from 1.
        count: among how many.
        own_score: of the base with its own vocal; None where it has none.
    """

    proposal: Proposal
    score: float
    rank: int
    count: int
    own_score: float | None


def pairs_panel(
    database: MashupDB,
    bases: Sequence[LibraryClip],
    limits: Limits,
    scorer: Scorer,
    store: ScoreStore,
) -> Pair | None:
    """Score pairs, list them, and return the one that is chosen.

    Args:
        database: the library.
        bases: whose music; none: ask for one.
        limits: how far vocals may be moved.
        scorer: who judges.
        store: of its scores.

    Returns:
        The chosen pair, at first the best; None where there is none.
    """
    st.header("Which songs fit?")
    if not bases:
        st.info(
            "Choose a song on the left: the vocals of all others are tried over its music.",
            icon=":material/arrow_back:",
        )
        return None
    proposals, found = proposals_of(database, bases, limits)
    if not proposals:
        st.info("No other vocal comes near enough in key and tempo: move the limits on the left.")
        return None
    scores = _scored(scorer, proposals, store)
    some = f"the {len(proposals)} of {found} that are moved least" if found > len(proposals) else ""
    proposals = [proposal for proposal in proposals if proposal.proposal_id in scores]
    ranked = ranking(proposals, scores)
    counted, text = st.columns([2, 1], vertical_alignment="center")
    counted.caption(
        f"{some or f'{found} pairs'} within the limits, by **{plain(scorer.name)}**; scores mean "
        f"something only beside each other."
    )
    shown = with_title(ranked, _text(text))
    if not len(shown):
        st.info("No title has that in it.")
        return None
    row = shown.row(_chosen_row(shown, name_music=len(bases) > 1), named=True)
    by_id = {proposal.proposal_id: proposal for proposal in proposals}
    proposal = by_id[row["proposal_id"]]
    if own := original_of(proposal.base):
        with suppress(AudioError):  # its own vocal may be damaged, and is not what was asked for
            scores |= _scored(scorer, [own], store)
    return Pair(
        proposal,
        row["score"],
        row["rank"],
        len(ranked),
        scores.get(own.proposal_id) if own else None,
    )


def _scored(scorer: Scorer, proposals: Sequence[Proposal], store: ScoreStore) -> dict[str, float]:
    place = st.empty()

    def progress(done: int, total: int) -> None:
        if total:
            place.progress(done / total, f"{plain(scorer.name)} listens: {done} of {total} pairs …")

    failed: dict[str, str] = {}
    scores = scores_of(scorer, proposals, store, progress=progress, failed=failed)
    place.empty()
    reasons = list(dict.fromkeys(failed.values()))
    if failed and not scores:
        raise AudioError(reasons[0])
    if failed:
        lines = [f"{len(failed)} of {len(proposals)} are left out:", *reasons]
        st.warning("  \n".join(map(plain, lines)), icon=":material/info:")
    return scores


def _text(place: DeltaGenerator) -> str:
    return place.text_input(
        "Titles with", placeholder="titles with …", label_visibility="collapsed"
    )


def _chosen_row(shown: pl.DataFrame, *, name_music: bool) -> int:
    lowest, highest = float(shown["score"].min()), float(shown["score"].max())  # type: ignore[arg-type]
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
    event = st.dataframe(
        table,
        height=_ROW_PX * (min(len(table), _SHOWN_ROWS) + 1) + 3,
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        selection_default={"selection": {"rows": [0], "columns": [], "cells": []}},
        column_config={
            "rank": st.column_config.NumberColumn("#", width=40),
            "score": st.column_config.ProgressColumn(
                "Score",
                format="%.3f",
                min_value=lowest - 0.1 * (highest - lowest) - 1e-9,
                max_value=highest + 1e-9,
                width=160,
            ),
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
    rows = event["selection"]["rows"]
    return rows[0] if rows and rows[0] < len(shown) else 0
