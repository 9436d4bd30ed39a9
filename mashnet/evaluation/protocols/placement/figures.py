"""Figures of the protocol: who finds its own music, in which way, at which length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from mashnet.evaluation.figures import FAINT, colour_of, label, panels
from mashnet.evaluation.protocols.placement.answers import WAYS
from mashnet.evaluation.protocols.placement.finding import EXACT, KEY, NEAR, REPEATED
from mashnet.evaluation.protocols.placement.measures import OF_64, RANK
from mashnet.evaluation.protocols.placement.questions import NUM_OPPONENTS, Questions
from mashnet.evaluation.results import Plot
from mashnet.evaluation.statistics import Estimate


def found_plot(
    estimates: Mapping[str, Mapping[str, Estimate]], questions: Sequence[Questions]
) -> Plot:
    """Draw, for each length, a point with its interval per Scorer and way.

    Args:
        estimates: Scorer → figure → value.
        questions: a panel each.
    """
    known = {name for values in estimates.values() for name in values}
    ways = [way for way in WAYS if any(RANK + way.suffix + q.suffix in known for q in questions)]
    figure, axes = panels(1, len(questions), width=3.4, height=0.2 * len(estimates) * len(ways) + 1)
    for axis, asked in zip(axes.flat, questions, strict=True):
        metric = OF_64 if asked.shown.shape[1] == NUM_OPPONENTS + 1 else RANK
        chance = 1 / asked.shown.shape[1] if metric == OF_64 else 0.5
        axis.axvline(chance, color=FAINT, linestyle="--", linewidth=1)
        for index, (scorer, values) in enumerate(estimates.items()):
            for line, way in enumerate(ways):
                found = values.get(metric + way.suffix + asked.suffix)
                if found is None:
                    continue
                height = line + 0.7 * ((index + 0.5) / len(estimates) - 0.5)
                _point(axis, found, height, colour_of(index), scorer)
        names = [way.suffix.strip("_").replace("_", " ") or "known" for way in ways]
        axis.set_yticks(range(len(ways)), names)
        axis.set_ylim(len(ways) - 0.5, -0.5)
        label(axis, title=f"{asked.bars} bars", x=metric.replace("_", " "))
    handles = {
        name: handle
        for axis in axes.flat
        for handle, name in zip(*axis.get_legend_handles_labels(), strict=True)
    }
    figure.legend(
        list(handles.values()), list(handles), loc="outside lower center", ncols=3, fontsize=8
    )
    return Plot(
        "found",
        figure,
        "How often a vocal's own music stands first (where there are too few songs: which share of "
        "the others stands before it), with its interval; the dashed line is chance.",
    )


def places_plot(
    estimates: Mapping[str, Mapping[str, Estimate]], names: Sequence[str]
) -> list[Plot]:
    """Draw what share of phrases each Scorer lays where they belong; nothing where nobody does.

    Args:
        estimates: Scorer → figure → value.
        names: of all figures that anybody has.
    """
    shown = [name for name in names if name.startswith((EXACT, REPEATED, NEAR, KEY))]
    placing = {who: found for who, found in estimates.items() if set(shown) & set(found)}
    if not placing:
        return []
    figure, axes = panels(1, 1, width=6.4, height=0.3 * len(shown) + 1.2)
    axis = axes[0, 0]
    for index, scorer in enumerate(estimates):
        for line, name in enumerate(shown):
            if found := placing.get(scorer, {}).get(name):
                height = line + 0.6 * ((index + 0.5) / len(estimates) - 0.5)
                _point(axis, found, height, colour_of(index), scorer)
    axis.set_yticks(range(len(shown)), [name.replace("_", " ") for name in shown])
    axis.set_ylim(len(shown) - 0.5, -0.5)
    label(axis, x="share of phrases")
    handles, labels = axis.get_legend_handles_labels()
    by_name = dict(zip(labels, handles, strict=True))
    axis.legend(list(by_name.values()), list(by_name), fontsize=8, frameon=False)
    return [
        Plot(
            "places",
            figure,
            "Share of phrases, cut out of their songs and shifted, that are laid where they "
            "belong, with its interval.",
        )
    ]


def _point(axis: Axes, found: Estimate, height: float, colour: str, name: str) -> None:
    axis.plot(found.value, height, "o", color=colour, markersize=5, label=name)
    if np.isfinite(found.low):
        axis.plot([found.low, found.high], [height, height], color=colour, linewidth=1.4)
