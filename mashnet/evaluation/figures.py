"""Figures of the protocols, drawn without a display.

One colour per Scorer, the same in every figure of a report; the first is the one under test.
Figures are matplotlib Figure objects of their own (no pyplot), so nothing global is touched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import roc_curve

from mashnet.data.schemas import CONDITIONS
from mashnet.evaluation.metrics import Placement, Reliability
from mashnet.evaluation.statistics import Estimate

COLOURS = ("#b3392f", "#2f6690", "#6b8f3c", "#c9892b", "#6d597a", "#3a7d7c", "#8a5a44")
DASHES = ("-", "--", ":", "-.")
INK, FAINT = "#222222", "#b5b5b5"
ROLE_COLOURS = {
    "vocal": "#b3392f",
    "harmonic": "#2f6690",
    "percussion": "#c9892b",
    "accompaniment": "#2f6690",
    "all": "#777777",
}


def panels(
    rows: int, columns: int, *, width: float = 3.2, height: float = 3.0, share_y: bool = False
) -> tuple[Figure, np.ndarray]:
    """Return a figure and its axes, shape (rows, columns), in the common style.

    Args:
        rows: rows of panels.
        columns: columns of panels.
        width: of one panel, in inches.
        height: of one panel, in inches.
        share_y: whether the panels of a row have one vertical axis.
    """
    figure = Figure(figsize=(width * columns + 0.8, height * rows + 0.3), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, sharey="row" if share_y else False)
    for axis in axes.flat:
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=8, colors=INK)
        axis.grid(alpha=0.25, linewidth=0.6)
        axis.set_axisbelow(True)
    return figure, axes


def label(axis: Axes, *, title: str = "", x: str = "", y: str = "") -> None:
    """Name a panel and its axes."""
    axis.set_title(title, fontsize=9, loc="left", color=INK)
    axis.set_xlabel(x, fontsize=8)
    axis.set_ylabel(y, fontsize=8)


def colour_of(index: int) -> str:
    """Return the colour of the Scorer at a position of the table."""
    return COLOURS[index % len(COLOURS)]


def line_of(index: int) -> dict[str, str]:
    """Return colour and dashes of a Scorer's line: with more Scorers than colours these recur."""
    return {"color": colour_of(index), "linestyle": DASHES[index // len(COLOURS) % len(DASHES)]}


def score_distributions(scores: Mapping[str, np.ndarray], conditions: np.ndarray) -> Figure:
    """Draw one panel per Scorer with a box per condition.

    Args:
        scores: Scorer → scores, shape (mixes,).
        conditions: shape (mixes,).
    """
    present = [condition for condition in CONDITIONS if (conditions == condition).any()]
    columns = min(len(scores), 4)
    rows = -(-len(scores) // columns)
    figure, axes = panels(rows, columns, width=2.6, height=0.36 * len(present) + 0.9)
    for index, (axis, (name, values)) in enumerate(zip(axes.flat, scores.items(), strict=False)):
        boxes = axis.boxplot(
            [values[conditions == condition] for condition in present],
            orientation="horizontal",
            whis=(5, 95),
            showfliers=False,
            patch_artist=True,
            widths=0.55,
            medianprops={"color": INK},
        )
        for box in boxes["boxes"]:
            box.set(facecolor=colour_of(index), alpha=0.55, edgecolor=INK)
        axis.invert_yaxis()
        names = [condition.replace("_", " ") for condition in present]
        axis.set_yticks(range(1, len(present) + 1), names if index % columns == 0 else [])
        label(axis, title=name, x="score (the Scorer's own scale)")
    _hide_empty(axes, len(scores))
    return figure


def roc_curves(
    scores: Mapping[str, np.ndarray],
    labels: np.ndarray,
    *,
    positives: str = "originals",
    negatives: str = "unmatched mixes",
) -> Figure:
    """Draw the ROC curve of each Scorer; arrays have the shape (items,)."""
    figure, axes = panels(1, 1, width=4.6, height=3.9)
    axis = axes[0, 0]
    axis.plot([0, 1], [0, 1], color=FAINT, linestyle="--", linewidth=1, label="chance")
    for index, (name, values) in enumerate(scores.items()):
        wrong, right, _ = roc_curve(labels, values)
        axis.plot(wrong, right, **line_of(index), linewidth=1.6, label=name)
    label(axis, x=f"share of {negatives} above the threshold", y=f"share of {positives} above it")
    _square(axis)
    return figure


def reliability_curves(curves: Mapping[str, Reliability]) -> Figure:
    """Draw the reliability curve of each Scorer."""
    figure, axes = panels(1, 1, width=4.6, height=3.9)
    axis = axes[0, 0]
    axis.plot([0, 1], [0, 1], color=FAINT, linestyle="--", linewidth=1, label="perfect")
    for index, (name, curve) in enumerate(curves.items()):
        colour = colour_of(index)
        axis.plot(curve.confidence, curve.frequency, color=colour, linewidth=1.2, label=name)
        size = 8 + 100 * curve.weight
        axis.scatter(curve.confidence, curve.frequency, s=size, color=colour, linewidths=0)
    label(axis, x="probability of fit given", y="share of originals (as many as unmatched)")
    _square(axis)
    return figure


def rank_curves(placed: Mapping[str, Mapping[str, Placement]]) -> Figure:
    """Draw how many originals stand within each leading share of the candidates.

    Args:
        placed: panel title → Scorer → placements of the originals.
    """
    figure, axes = panels(1, len(placed), width=3.7, height=3.5)
    for axis, (title, by_scorer) in zip(axes.flat, placed.items(), strict=True):
        axis.plot([0, 1], [0, 1], color=FAINT, linestyle="--", linewidth=1, label="chance")
        for index, (name, placement) in enumerate(by_scorer.items()):
            ranks = np.sort(placement.normalised_rank)
            share = np.arange(1, len(ranks) + 1) / len(ranks)
            axis.step(
                np.r_[0, ranks, 1],
                np.r_[0, share, 1],
                where="post",
                **line_of(index),
                linewidth=1.5,
                label=name,
            )
        label(axis, title=title, x="leading share of the other candidates", y="share of originals")
        _square(axis)
    return figure


def top_k_curves(placed: Mapping[str, Placement]) -> Figure:
    """Draw the share of queries whose partner is among the first k, for every k."""
    figure, axes = panels(1, 1, width=5.4, height=3.9)
    axis = axes[0, 0]
    for index, (name, placement) in enumerate(placed.items()):
        ks = np.arange(1, int(placement.candidates.max()) + 1)
        if index == 0:
            axis.plot(ks, ks / ks[-1], color=FAINT, linestyle="--", linewidth=1, label="chance")
        shares = [float(placement.top_k(int(k)).mean()) for k in ks]
        axis.plot(ks, shares, **line_of(index), linewidth=1.5, label=name)
    label(axis, x="k", y="share of queries with the partner among the first k")
    axis.set_ylim(0, 1.02)
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.legend(fontsize=7, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def rank_histograms(placed: Mapping[str, Placement], num_bins: int = 10) -> Figure:
    """Draw, for each Scorer, how many partners stand in each tenth of the candidates."""
    columns = min(len(placed), 4)
    rows = -(-len(placed) // columns)
    figure, axes = panels(rows, columns, width=2.4, height=1.9, share_y=True)
    edges = np.linspace(0, 1, num_bins + 1)
    for index, (axis, (name, placement)) in enumerate(zip(axes.flat, placed.items(), strict=False)):
        counts, _ = np.histogram(placement.normalised_rank, edges)
        share = counts / counts.sum()
        axis.bar(edges[:-1], share, 1 / num_bins, align="edge", color=colour_of(index), alpha=0.7)
        axis.axhline(1 / num_bins, color=INK, linestyle="--", linewidth=0.8)
        label(axis, title=name, x="share of loops before it", y="" if index % columns else "share")
    _hide_empty(axes, len(placed))
    return figure


def sensitivity_curves(
    changes: Mapping[str, Mapping[tuple[str, str], Sequence[Estimate]]],
    axes_of: Mapping[str, tuple[str, np.ndarray]],
) -> Figure:
    """Draw a row of panels per Scorer, a column per kind of move, a line per moved role.

    Args:
        changes: Scorer → (kind, role) → mean change of the score at each point.
        axes_of: kind → unit, and how far each point is moved.
    """
    figure, axes = panels(len(changes), len(axes_of), height=2.3, share_y=True)
    for row, (name, curves) in enumerate(changes.items()):
        for column, (kind, (unit, amounts)) in enumerate(axes_of.items()):
            axis = axes[row, column]
            axis.axhline(0, color=FAINT, linewidth=0.8)
            axis.axvline(0, color=FAINT, linewidth=0.8)
            for role, colour in ROLE_COLOURS.items():
                if (kind, role) not in curves:
                    continue
                points = curves[kind, role]
                axis.plot(
                    amounts,
                    [p.value for p in points],
                    color=colour,
                    linewidth=1.5,
                    marker="o",
                    markersize=2.5,
                    label=role,
                )
                axis.fill_between(
                    amounts,
                    [p.low for p in points],
                    [p.high for p in points],
                    color=colour,
                    alpha=0.15,
                    linewidth=0,
                )
            x = f"moved by ({unit})" if row == len(changes) - 1 else ""
            y = "change of score" if column == 0 else ""
            label(axis, title=f"{name}: {kind}", x=x, y=y)
    handles, names = axes[0, -1].get_legend_handles_labels()
    figure.legend(
        handles,
        [f"{n} moved" for n in names],
        loc="outside lower center",
        ncols=len(names),
        fontsize=8,
        frameon=False,
    )
    return figure


def _square(axis: Axes) -> None:
    axis.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axis.set_aspect("equal")
    axis.legend(fontsize=8, frameon=False, loc="best")


def _hide_empty(axes: np.ndarray, used: int) -> None:
    for axis in axes.flat[used:]:
        axis.set_visible(False)
