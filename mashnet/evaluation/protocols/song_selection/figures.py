"""Figures of song_selection: matrices, mirrored scores, trees and planes of songs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from scipy.cluster import hierarchy

from mashnet.evaluation.figures import COLOURS, FAINT, INK, colour_of, label, panels
from mashnet.evaluation.protocols.song_selection.clusters import Clusters

_MOST_TITLES = 40  # more cannot be read
_COLUMNS = 3


def heatmaps(
    scores: Mapping[str, np.ndarray], order: np.ndarray, titles: Sequence[str], *, ordered_by: str
) -> Figure:
    """Draw each Scorer's matrix (n, n), rows and columns in one order of songs (n,)."""
    figure, axes = _grid(len(scores), width=3.4, height=3.3)
    names = [_short(titles[i]) for i in order]
    for index, (name, matrix) in enumerate(scores.items()):
        axis = axes.flat[index]
        image = axis.imshow(matrix[np.ix_(order, order)], cmap="viridis", aspect="equal")
        figure.colorbar(image, ax=axis, shrink=0.75).ax.tick_params(labelsize=6)
        axis.grid(False)
        label(axis, title=name, x="accompaniment of", y="vocal of")
        shown = names if len(names) <= _MOST_TITLES else []
        places = range(len(shown))
        axis.set_xticks(places, shown, rotation=90, fontsize=5)
        axis.set_yticks(places, shown if index % _COLUMNS == 0 else [""] * len(shown), fontsize=5)
    figure.suptitle(f"songs in the order of {ordered_by}'s clusters", fontsize=8, color=INK)
    return figure


def mirrored(scores: Mapping[str, np.ndarray], songs: np.ndarray) -> Figure:
    """Draw each pair of songs' two scores against each other; matrices (n, n), songs (n,)."""
    figure, axes = _grid(len(scores), width=2.9, height=2.8)
    rows, columns = np.nonzero(np.triu(songs[:, None] != songs[None], 1))
    for index, (name, matrix) in enumerate(scores.items()):
        axis = axes.flat[index]
        one, other = matrix[rows, columns], matrix[columns, rows]
        low, high = min(one.min(), other.min()), max(one.max(), other.max())
        axis.plot([low, high], [low, high], color=FAINT, linestyle="--", linewidth=1)
        axis.scatter(one, other, s=4, color=colour_of(index), alpha=0.4, linewidths=0)
        label(axis, title=name, x="A's vocal, B's music", y="B's vocal, A's music")
    return figure


def against_judge(scores: Mapping[str, np.ndarray], judge: str, songs: np.ndarray) -> Figure:
    """Draw each Scorer's scores against the judge's; originals stand out."""
    others = [name for name in scores if name != judge]
    figure, axes = _grid(len(others), width=2.9, height=2.8)
    same = songs[:, None] == songs[None]
    for index, name in enumerate(others):
        axis = axes.flat[index]
        for cells, size, colour, kind in (
            (~same, 4, FAINT, "mashups"),
            (same, 12, COLOURS[0], "originals"),
        ):
            x, y = scores[judge][cells], scores[name][cells]
            axis.scatter(x, y, s=size, color=colour, label=kind, linewidths=0)
        label(axis, title=name, x=f"{judge} (judge)", y=name)
        if index == 0:
            axis.legend(fontsize=7, frameon=False, loc="best")
    return figure


def trees(clusters: Mapping[str, Clusters], titles: Sequence[str]) -> Figure:
    """Draw each Scorer's tree of songs."""
    figure, axes = _grid(len(clusters), width=3.4, height=2.8)
    for index, (name, found) in enumerate(clusters.items()):
        axis = axes.flat[index]
        few = len(titles) <= _MOST_TITLES
        hierarchy.dendrogram(
            found.tree,
            ax=axis,
            labels=[_short(title) for title in titles] if few else None,
            no_labels=not few,
            leaf_rotation=90,
            leaf_font_size=5,
            color_threshold=0,
            above_threshold_color=colour_of(index),
        )
        axis.grid(False)
        label(axis, title=name, y="distance (Ward)")
    return figure


def planes(
    places: Mapping[str, np.ndarray], labels: np.ndarray, titles: Sequence[str], *, coloured_by: str
) -> Figure:
    """Draw songs in the plane of each Scorer, (n, 2), coloured by one Scorer's clusters (n,)."""
    figure, axes = _grid(len(places), width=3.0, height=2.9)
    colours = ListedColormap(COLOURS)
    for index, (name, plane) in enumerate(places.items()):
        axis = axes.flat[index]
        axis.scatter(*plane.T, c=(labels - 1) % len(COLOURS), cmap=colours, s=18, linewidths=0,
                     vmin=0, vmax=len(COLOURS) - 1)  # fmt: skip
        if len(titles) <= _MOST_TITLES:
            for place, title in zip(plane, titles, strict=True):
                axis.annotate(_short(title), place, (3, 0), textcoords="offset points",
                              va="center", fontsize=4.5, color=INK)  # fmt: skip
            axis.margins(x=0.2)
        axis.set_xticks([])
        axis.set_yticks([])
        label(axis, title=name)
    figure.suptitle(f"coloured by {coloured_by}'s clusters", fontsize=8, color=INK)
    return figure


def agreements(table: np.ndarray, names: Sequence[str]) -> Figure:
    """Draw the adjusted Rand index of each two Scorers, (scorers, scorers)."""
    size = 0.55 * len(names) + 1.4
    figure, axes = panels(1, 1, width=size, height=size)
    axis = axes[0, 0]
    axis.imshow(table, cmap="RdBu_r", vmin=-1, vmax=1)
    axis.grid(False)
    for row in range(len(names)):
        for column in range(len(names)):
            value = table[row, column]
            text = f"{value:.2f}" if np.isfinite(value) else "–"
            dark = np.isfinite(value) and abs(value) > 0.6
            axis.text(column, row, text, ha="center", va="center", fontsize=7,
                      color="white" if dark else INK)  # fmt: skip
    axis.set_xticks(range(len(names)), names, rotation=45, ha="right")
    axis.set_yticks(range(len(names)), names)
    label(axis, title="adjusted Rand index")
    return figure


def _grid(count: int, *, width: float, height: float) -> tuple[Figure, np.ndarray]:
    columns = min(max(count, 1), _COLUMNS)
    figure, axes = panels(-(-max(count, 1) // columns), columns, width=width, height=height)
    for axis in axes.flat[count:]:
        axis.set_visible(False)
    return figure, axes


def _short(title: str) -> str:
    return title if len(title) <= 18 else title[:17] + "…"
