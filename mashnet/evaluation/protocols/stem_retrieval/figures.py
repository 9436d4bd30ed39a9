"""Figures of stem retrieval."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from mashnet.evaluation.figures import COLOURS, FAINT, INK, label, line_of, panels
from mashnet.evaluation.metrics import Placement
from mashnet.evaluation.protocols.stem_retrieval.answers import Standing
from mashnet.evaluation.results import Plot
from mashnet.evaluation.retrieval import FIRST_PLACES

MOST_INSTRUMENTS = 20  # in the figure; the most frequent

_KIND_COLOURS = (COLOURS[2], COLOURS[1], COLOURS[3], FAINT)
_KIND_NAMES = tuple(kind.replace("_", " ") for kind in FIRST_PLACES)


def recall_plot(standings: Mapping[str, Standing]) -> Plot:
    """Return how many stems are found among the first k, with and without their songs' others."""
    placed = {
        "among all stems": {name: s.among_all for name, s in standings.items()},
        "without the song's other stems": {name: s.among_others for name, s in standings.items()},
    }
    return Plot(
        "recall",
        recall_curves(placed),
        "Share of missing stems among the first k candidates; the dashed line is chance.",
    )


def first_place_plots(
    standings: Mapping[str, Standing], instruments: Mapping[str, np.ndarray], labels: str
) -> list[Plot]:
    """Return what stands first, by instrument: among all, and without the song's other stems.

    Args:
        standings: Scorer → where the stems stand.
        instruments: instrument → which queries look for it, shape (queries,).
        labels: whose names these are: coarse or fine.
    """
    rarer = len(instruments) - MOST_INSTRUMENTS
    of_whom = f"by the instrument that is looked for ({labels} labels; in brackets: queries)." + (
        f" {rarer} rarer instruments are in metrics.json only." if rarer > 0 else ""
    )

    def bars(first: Mapping[str, np.ndarray]) -> Figure:
        return first_place_bars(
            {
                scorer: {name: shares[where].mean(0) for name, where in instruments.items()}
                for scorer, shares in first.items()
            },
            {name: int(where.sum()) for name, where in instruments.items()},
        )

    return [
        Plot(
            "instruments",
            bars({name: s.first for name, s in standings.items()}),
            f"What stands first among all stems, {of_whom} Stems that sound in the query are of "
            "the right track, too.",
        ),
        Plot(
            "instruments_among_others",
            bars({name: s.first_among_others for name, s in standings.items()}),
            f"What stands first where the song's other stems are left out, {of_whom}",
        ),
    ]


def recall_curves(placed: Mapping[str, Mapping[str, Placement]]) -> Figure:
    """Draw how many stems are found among the first k candidates, for every k.

    Args:
        placed: panel title → Scorer → placements of the right stems.
    """
    figure, axes = panels(1, len(placed), width=4.0, height=3.6, share_y=True)
    for axis, (title, by_scorer) in zip(axes.flat, placed.items(), strict=True):
        for index, (name, placement) in enumerate(by_scorer.items()):
            most = int(placement.candidates.max())
            ks = np.unique(np.geomspace(1, most, 200).round().astype(int))
            if index == 0:
                chance = [np.minimum(1, k / placement.candidates).mean() for k in ks]
                axis.plot(ks, chance, color=FAINT, linestyle="--", linewidth=1, label="chance")
                axis.set_xscale("log")
                axis.set_xlim(1, most)
            recall = [placement.top_k(int(k)).mean() for k in ks]
            axis.plot(ks, recall, **line_of(index), linewidth=1.5, label=name)
        axis.xaxis.set_major_formatter(FuncFormatter(lambda k, _: f"{k:g}"))
        axis.xaxis.set_minor_formatter(NullFormatter())
        axis.set_ylim(0, 1.02)
        label(axis, title=title, x="k")
    axes[0, 0].set_ylabel("share of stems among the first k", fontsize=8)
    axes[0, -1].legend(fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def first_place_bars(
    shares: Mapping[str, Mapping[str, np.ndarray]], counts: Mapping[str, int]
) -> Figure:
    """Draw what stands first, for each Scorer and each instrument that was looked for.

    Args:
        shares: Scorer → instrument → mean shares in the order of FIRST_PLACES, shape (4,).
        counts: instrument → queries.
    """
    instruments = sorted(counts, key=lambda name: (-counts[name], name))[:MOST_INSTRUMENTS]
    columns = min(len(shares), 3)
    rows = -(-len(shares) // columns)
    figure, axes = panels(rows, columns, width=3.1, height=0.3 * len(instruments) + 0.9)
    places = np.arange(len(instruments))
    for index, (axis, (scorer, of)) in enumerate(zip(axes.flat, shares.items(), strict=False)):
        table = np.array([of[instrument] for instrument in instruments])
        before = np.cumsum(table, axis=1) - table
        for kind, (colour, name) in enumerate(zip(_KIND_COLOURS, _KIND_NAMES, strict=True)):
            axis.barh(places, table[:, kind], 0.7, before[:, kind], color=colour, label=name)
        axis.invert_yaxis()
        names = [f"{instrument} ({counts[instrument]})" for instrument in instruments]
        axis.set_yticks(places, names if index % columns == 0 else [])
        axis.set_xlim(0, 1)
        axis.grid(visible=False, axis="y")
        label(axis, title=scorer, x="share of queries")
    for axis in axes.flat[len(shares) :]:
        axis.set_visible(False)
    handles, names = axes[0, 0].get_legend_handles_labels()
    figure.legend(
        handles,
        names,
        loc="outside lower center",
        ncols=2 if columns == 1 else 4,
        fontsize=8,
        frameon=False,
        labelcolor=INK,
    )
    return figure
