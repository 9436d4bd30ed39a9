"""Figures of finished mashups: every measure, every mashup a dot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mashnet.evaluation.figures import FAINT, INK, colour_of, label, panels
from mashnet.evaluation.mashup_measures.measures import MEASURES
from mashnet.evaluation.mashup_measures.statistics import BEST, ORIGINAL, WORST, Finished

COLUMNS = 3


def strips(finished: Mapping[str, Sequence[Finished]], judge: str | None) -> Figure | None:
    """Draw a panel per measure, a row per Scorer: best above, worst in the middle, originals below.

    Args:
        finished: Scorer → what it chose, and the originals of its bases.
        judge: who gives the judge's score; None: nobody.

    Returns:
        None where nothing could be measured.
    """
    known = [
        name
        for name in MEASURES
        if any(np.isfinite(item.measured[name]) for items in finished.values() for item in items)
    ]
    if not known:
        return None
    columns = min(COLUMNS, len(known))
    rows = -(-len(known) // columns)
    figure, axes = panels(rows, columns, width=3.1, height=0.62 * len(finished) + 1.0)
    for index, (axis, name) in enumerate(zip(axes.flat, known, strict=False)):
        for line, (scorer, items) in enumerate(finished.items()):
            values = {
                kind: np.array([item.measured[name] for item in items if item.kind == kind])
                for kind in (BEST, WORST, ORIGINAL)
            }
            _strip(axis, values, line, colour_of(list(finished).index(scorer)))
        axis.set_yticks(range(len(finished)), list(finished) if index % columns == 0 else [])
        axis.set_ylim(len(finished) - 0.5, -0.5)
        title = name if name != "judge_score" else f"{name} ({judge})"
        label(axis, title=title, x=MEASURES[name].unit)
    for axis in axes.flat[len(known) :]:
        axis.set_visible(False)
    handles, names = axes.flat[0].get_legend_handles_labels()
    kinds = dict(zip(names, handles, strict=True))
    figure.legend(
        kinds.values(), kinds.keys(), loc="outside lower center", ncols=3, fontsize=8, frameon=False
    )
    return figure


def _strip(axis: Axes, values: Mapping[str, np.ndarray], line: int, colour: str) -> None:
    """Draw the dots of one Scorer in one measure, and a tick at each mean."""
    looks = ((BEST, colour, colour), (WORST, "none", colour), (ORIGINAL, FAINT, FAINT))
    for place, (kind, face, edge) in zip((-0.25, 0.0, 0.25), looks, strict=True):
        heard = values[kind][np.isfinite(values[kind])]
        heights = np.full(len(heard), line + place)
        axis.scatter(
            heard,
            heights,
            s=12,
            facecolors=face,
            edgecolors=edge,
            linewidths=0.8,
            alpha=0.75,
            label=kind,
        )
        if len(heard):
            axis.plot(
                heard.mean(), line + place, "|", color=INK, markersize=11, markeredgewidth=1.6
            )
