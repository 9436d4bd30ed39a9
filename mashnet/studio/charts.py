"""The page's figures: drawn by the browser from plain numbers, with what comes with Streamlit."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import polars as pl

from mashnet.evaluation.figures import FAINT, INK, ROLE_COLOURS
from mashnet.studio.reasons import Reason
from mashnet.studio.vocal_moves import Curve

Chart = alt.LayerChart | alt.FacetChart
_VOCAL = ROLE_COLOURS["vocal"]
_TICKS: dict[str, list[float]] = {
    "pitch": [-6, -3, 0, 3, 6],
    "tempo": [-30, -20, -10, 0, 10, 20, 30],
    "beats": [-1, -0.5, 0, 0.5, 1],
}


def score_range(curves: Sequence[Curve]) -> tuple[float, float]:
    """Return what the vertical axes of all curves show: every score, and a margin."""
    lowest = min(float(curve.scores.min()) for curve in curves)
    highest = max(float(curve.scores.max()) for curve in curves)
    margin = 0.08 * (highest - lowest) or 0.05
    return lowest - margin, highest + margin


def curve_chart(curve: Curve, limits: tuple[float, float]) -> Chart:
    """Draw the score over one kind of move; the place where the vocal was laid stands out.

    Args:
        curve: what to draw.
        limits: of the vertical axis, as the other curves have them.
    """
    data = pl.DataFrame({"amount": curve.amounts, "score": curve.scores})
    x = alt.X(
        "amount:Q",
        title=curve.kind.unit,
        scale=alt.Scale(nice=False),
        axis=alt.Axis(grid=False, values=_TICKS[curve.kind.name], format="+~r"),
    )
    y = alt.Y(
        "score:Q",
        title=None,
        scale=alt.Scale(domain=list(limits), nice=False),
        axis=alt.Axis(tickCount=4, format=".2f"),
    )
    tooltip = [
        alt.Tooltip("amount:Q", title=curve.kind.unit, format="+g"),
        alt.Tooltip("score:Q", format=".3f"),
    ]
    base = alt.Chart(data).encode(x=x, y=y, tooltip=tooltip)
    zero = (
        alt.Chart(pl.DataFrame({"amount": [0.0]}))
        .mark_rule(color=FAINT, strokeDash=[4, 3])
        .encode(x="amount:Q")
    )
    line = base.mark_line(color=_VOCAL, strokeWidth=2)
    points = base.mark_point(color=_VOCAL, filled=True, size=28, opacity=1)
    laid = base.transform_filter("datum.amount == 0").mark_point(
        color=INK, filled=True, size=90, opacity=1
    )
    return alt.layer(zero, line, points, laid).properties(height=190)


def reason_chart(reason: Reason) -> Chart:
    """Draw the rule's terms for one role of the music: bars, and a line for the own vocal."""
    rows = [
        {"term": term, "this vocal": guest, "its own vocal": own}
        for term, (guest, own) in reason.terms().items()
    ]
    data = pl.DataFrame(
        rows,
        schema={"term": pl.String, "this vocal": pl.Float64, "its own vocal": pl.Float64},
    )
    y = alt.Y("term:N", title=None, sort=None, axis=alt.Axis(labelLimit=90, ticks=False))
    x = alt.X(
        "this vocal:Q",
        title=None,
        scale=alt.Scale(domain=[-0.25, 1]),
        axis=alt.Axis(values=[0, 0.5, 1], format="~r"),
    )
    tooltip = ["term:N", *(alt.Tooltip(f"{n}:Q", format=".2f") for n in data.columns[1:])]
    bars = (
        alt.Chart(data)
        .mark_bar(color=ROLE_COLOURS[reason.role], size=16)
        .encode(x=x, y=y, tooltip=tooltip)
    )
    own = (
        alt.Chart(data.drop_nulls())
        .mark_tick(color=INK, thickness=3, size=24)
        .encode(x=alt.X("its own vocal:Q"), y=y, tooltip=tooltip)
    )
    return alt.layer(bars, own).properties(height=34 * len(rows) + 30)
