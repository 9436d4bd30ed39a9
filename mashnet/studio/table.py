"""A table of pairs of which one is chosen."""

from __future__ import annotations

from typing import Any

import polars as pl
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from mashnet.studio.pairs import with_title
from mashnet.studio.wording import INCOMPARABLE

_SHOWN_ROWS = 8
_ROW_PX = 35


def with_typed_title(pairs: pl.DataFrame, place: DeltaGenerator) -> pl.DataFrame:
    """Ask for a part of a title, and keep the rows that have it; none left is said."""
    text = place.text_input(
        "Titles with", placeholder="titles with …", label_visibility="collapsed"
    )
    shown = with_title(pairs, text)
    if not len(shown):
        st.info("No title has that in it.")
    return shown


def chosen_row(table: pl.DataFrame, columns: dict[str, Any], *, score: str = "Score") -> int:
    """Draw a table and return the number of the row that is chosen, at first 0.

    Args:
        table: at least one row; `rank` and `score` are drawn as they are in all tables.
        columns: how the others are drawn, by their names.
        score: what the column with the scores is called.
    """
    known = table.with_columns(pl.when(pl.col("score") > INCOMPARABLE).then("score"))
    lowest, highest = (float(end or 0.0) for end in (known["score"].min(), known["score"].max()))  # type: ignore[arg-type]
    event = st.dataframe(
        known,
        height=_ROW_PX * (min(len(table), _SHOWN_ROWS) + 1) + 3,
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        selection_default={"selection": {"rows": [0], "columns": [], "cells": []}},
        column_config={
            "rank": st.column_config.NumberColumn("#", width=40),
            "score": st.column_config.ProgressColumn(
                score,
                format="%.3f",
                min_value=lowest - 0.1 * (highest - lowest) - 1e-9,
                max_value=highest + 1e-9,
                width=130,
            ),
            **columns,
        },
    )
    rows = event["selection"]["rows"]
    return rows[0] if rows and rows[0] < len(table) else 0
