"""The page as it opens: the best pairs of the whole library, of which one is looked at."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import streamlit as st

from mashnet.data.mashupdb import MashupDB
from mashnet.mashups.kept_scores import ScoreStore
from mashnet.models.scorer import Scorer
from mashnet.studio.hearing import Pair, heard, looked_at
from mashnet.studio.pairs import meetings
from mashnet.studio.placing import Placed
from mashnet.studio.table import chosen_row, with_typed_title
from mashnet.studio.wording import plain

MOST_BEST = 50  # pairs on which the page opens


def best_panel(placed: Placed, placer: str, scorer: Scorer, store: ScoreStore) -> Pair | None:
    """List the best pairs and return the one that is chosen.

    Args:
        placed: at least one pair.
        placer: name of who compared them.
        scorer: who judges the one that is chosen.
        store: of its scores.

    Returns:
        The chosen pair, at first the best; None where no title has what was typed.
    """
    count = len(placed.proposals)
    said, text = st.columns([2, 1], vertical_alignment="center")
    hears = "" if scorer.name == placer else f" **{plain(scorer.name)}** hears the chosen one."
    said.caption(
        f"The best {count} pairs of the library, phrase on phrase, by **{plain(placer)}**, before "
        f"anything is moved.{hears} To try all vocals over one song, choose it on the left."
    )
    shown = with_typed_title(meetings(placed.proposals), text)
    left_out_songs(placed.left_out)
    if not len(shown):
        return None
    row = shown.row(_chosen(shown, placer), named=True)
    proposal = placed.proposals[row["rank"] - 1]
    score = heard(scorer, [proposal], store)[proposal.proposal_id]
    place = f"By {scorer.name}. Place {row['rank']} of {count} by {placer}."
    return looked_at(proposal, score, place, scorer, store)


def nothing_compared(database: MashupDB, left_out: Sequence[str]) -> bool:
    """Say why no pair could be placed; return whether pairs can be looked for by other means."""
    if database.clips["song_id"].n_unique() < 2:
        st.info("There is one song in this library; a pair takes two.")
        return False
    if left_out:
        st.info(
            "No two songs of this library could be compared bar by bar, so that nothing is placed."
        )
        left_out_songs(left_out)
    return True


def left_out_songs(lines: Sequence[str]) -> None:
    """Say on request which songs could not be compared, and why."""
    if lines:
        songs = "song is" if len(lines) == 1 else "songs are"
        with st.expander(f"{len(lines)} {songs} left out"):
            st.markdown("  \n".join(map(plain, lines)))


def _chosen(shown: pl.DataFrame, placer: str) -> int:
    return chosen_row(
        shown.drop("proposal_id"),
        {
            "sure": st.column_config.NumberColumn(
                "Sure",
                format="%.2f",
                width=55,
                help="0 to 1: that the vocal fits there rather than elsewhere in the song",
            ),
            "music": st.column_config.TextColumn("Music of", width=130),
            "vocal": st.column_config.TextColumn("Vocal of", width=130),
            "meet": st.column_config.TextColumn("Where they meet", width="large"),
        },
        score=f"By {placer}",
    )
