"""Figures of a listening test, in the style of all reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mashnet.evaluation.figures import FAINT, INK, colour_of, label, panels
from mashnet.evaluation.results import Plot
from mashnet.listening.agreement import item_means
from mashnet.listening.measures import Opinion
from mashnet.listening.questions import HIGHEST, LOWEST, QUESTIONS
from mashnet.listening.table import HIGH, LOW, MEAN, SCALES, Judged

TITLES = {question.name: f"{question.letter}: {question.name}" for question in QUESTIONS} | {
    MEAN: "mean of five"
}
_ANSWER_COLOURS = ("#b3392f", "#dc9a86", "#d9d9d4", "#8fb3cc", "#2f6690")  # 1 … 5
_MOST_SCORERS = 8


def plots_of(table: Judged, opinions: Sequence[Opinion]) -> list[Plot]:
    """Return the figures that these ratings allow."""
    colours = colours_of(table)
    plots = [
        Plot(
            "mean_opinions",
            mean_opinions(opinions, colours),
            "Mean rating of each system and kind, with 95 % intervals over listeners and clips.",
        ),
        Plot(
            "answers",
            answers(table),
            "How often each answer was given to 'overall', and how many ratings that were.",
        ),
    ]
    if scorers := [name for name in sorted(table.scores) if _rated_clips(table, name) >= 2]:
        shown = scorers[:_MOST_SCORERS]
        caption = "What each Scorer gives a clip, and what listeners give it (mean of five)."
        if len(scorers) > len(shown):
            caption += f" The first {len(shown)} of {len(scorers)} Scorers."
        plots.append(Plot("scores", scores(table, shown, colours), caption))
    return plots


def colours_of(table: Judged) -> dict[str, str]:
    """Return condition → colour: one for each system, whatever the kind."""
    claims = table.claims.select("system", "condition").unique()
    systems = sorted(set(claims["system"]))
    return {row[1]: colour_of(systems.index(row[0])) for row in claims.iter_rows()}


def mean_opinions(opinions: Sequence[Opinion], colours: Mapping[str, str]) -> Figure:
    """Draw a panel per scale and a row per condition: mean, and its interval."""
    height = 0.34 * len(opinions) + 0.9
    figure, axes = panels(2, 3, width=2.9, height=height, share_y=True)
    for index, (axis, scale) in enumerate(zip(axes.flat, SCALES, strict=True)):
        for row, one in enumerate(opinions):
            mean = one.means[scale]
            colour = colours[one.group]
            if np.isfinite(mean.low):
                axis.plot([mean.low, mean.high], [row, row], color=colour, linewidth=2, alpha=0.6)
            axis.plot([mean.value], [row], "o", color=colour, markersize=5)
        axis.set(xlim=(LOWEST - 0.1, HIGHEST + 0.1), ylim=(len(opinions) - 0.5, -0.5))
        axis.set_xticks(range(LOWEST, HIGHEST + 1))
        if index % 3 == 0:
            axis.set_yticks(range(len(opinions)), [one.group for one in opinions])
        label(axis, title=TITLES[scale], x="mean rating" if index >= 3 else "")
    return figure


def answers(table: Judged) -> Figure:
    """Draw the shares of the answers 1 to 5 to the first question, a bar per condition."""
    conditions = table.of_condition()
    figure, axes = panels(1, 1, width=6.4, height=0.36 * len(conditions) + 1.0)
    axis = axes[0, 0]
    for row, ratings in enumerate(conditions.values()):
        given = ratings[SCALES[0]].to_numpy()
        start = 0.0
        for value, colour in zip(range(LOWEST, HIGHEST + 1), _ANSWER_COLOURS, strict=True):
            share = float((given == value).mean())
            text = str(value) if row == 0 else None
            axis.barh(row, share, left=start, color=colour, height=0.72, label=text)
            start += share
        axis.text(1.01, row, f"n = {len(given)}", va="center", fontsize=7, color=INK)
    axis.set(xlim=(0, 1), ylim=(len(conditions) - 0.5, -0.5))
    axis.set_yticks(range(len(conditions)), list(conditions))
    axis.grid(visible=False)
    label(axis, x="share of ratings")
    figure.legend(loc="outside upper center", ncols=5, fontsize=8, frameon=False)
    return figure


def scores(table: Judged, scorers: Sequence[str], colours: Mapping[str, str]) -> Figure:
    """Draw a panel per Scorer: its score of each clip against the listeners' mean."""
    means = item_means(table)
    first = table.claims.unique("item", keep="first", maintain_order=True)
    condition = dict(zip(first["item"], first["condition"], strict=True))
    kind = dict(zip(first["item"], first["kind"], strict=True))
    columns = min(len(scorers), 4)
    figure, axes = panels(-(-len(scorers) // columns), columns, width=2.9, height=2.7)
    seen: dict[str, Line2D] = {}
    for index, axis in enumerate(axes.flat):
        if index >= len(scorers):
            axis.set_visible(False)
            continue
        of_item = table.scores[scorers[index]]
        for row in means.filter(pl.col("item").is_in(list(of_item))).iter_rows(named=True):
            name = condition[row["item"]]
            marker = "^" if kind[row["item"]] in HIGH else "v" if kind[row["item"]] in LOW else "o"
            face = "none" if row["original"] else colours[name]
            drawn = axis.plot(
                of_item[row["item"]],
                row[MEAN],
                marker,
                color=colours[name],
                markerfacecolor=face,
                markersize=5,
                alpha=0.8,
                linestyle="none",
            )
            seen.setdefault(name, drawn[0])
        axis.set_ylim(LOWEST - 0.2, HIGHEST + 0.2)
        axis.axhline((LOWEST + HIGHEST) / 2, color=FAINT, linewidth=0.8)
        label(
            axis,
            title=scorers[index],
            x="score (the Scorer's own scale)",
            y="" if index % columns else "mean of five",
        )
    names = sorted(seen)
    figure.legend(
        [seen[name] for name in names],
        names,
        loc="outside lower center",
        ncols=min(len(names), 4),
        fontsize=8,
        frameon=False,
    )
    return figure


def _rated_clips(table: Judged, scorer: str) -> int:
    return len(set(table.scores[scorer]) & set(table.ratings["item"]))
