"""Figures of the protocol: who finds its own music, in which way, at which length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from mashnet.evaluation.figures import FAINT, colour_of, label, panels
from mashnet.evaluation.protocols.placement.answers import WAYS
from mashnet.evaluation.protocols.placement.measures import OF_64, RANK
from mashnet.evaluation.protocols.placement.questions import Questions
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
    figure, axes = panels(1, len(questions), width=3.4, height=0.35 * len(estimates) + 2.0)
    for axis, asked in zip(axes.flat, questions, strict=True):
        names = [name for name in (OF_64, RANK) if _has(name, asked, estimates)]
        metric = names[0] if names else RANK
        chance = 1 / asked.shown.shape[1] if metric == OF_64 else 0.5
        axis.axvline(chance, color=FAINT, linestyle="--", linewidth=1)
        for index, (scorer, values) in enumerate(estimates.items()):
            for line, way in enumerate(WAYS):
                found = values.get(metric + way.suffix + asked.suffix)
                if found is None:
                    continue
                height = line + 0.7 * ((index + 0.5) / len(estimates) - 0.5)
                _point(axis, found, height, colour_of(index), scorer if line < 2 else "")
        axis.set_yticks(range(len(WAYS)), [way.suffix.strip("_") or "known" for way in WAYS])
        axis.set_ylim(len(WAYS) - 0.5, -0.5)
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


def bars_plot(
    rows: Mapping[str, Mapping[str, Estimate]], names: Sequence[str], caption: str, file: str
) -> Plot:
    """Draw some figures of each Scorer as bars beside each other, with intervals."""
    figure, axes = panels(1, 1, width=6.4, height=0.5 * len(names) + 1.2)
    present = [name for name in names if any(name in values for values in rows.values())]
    for index, (scorer, values) in enumerate(rows.items()):
        for line, name in enumerate(present):
            if name in values:
                height = line + 0.7 * ((index + 0.5) / len(rows) - 0.5)
                _point(axes[0, 0], values[name], height, colour_of(index), scorer)
    axes[0, 0].set_yticks(range(len(present)), [name.replace("_", " ") for name in present])
    axes[0, 0].set_ylim(len(present) - 0.5, -0.5)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    by_name = dict(zip(labels, handles, strict=True))
    axes[0, 0].legend(list(by_name.values()), list(by_name), fontsize=8, frameon=False)
    return Plot(file, figure, caption)


def _has(name: str, asked: Questions, estimates: Mapping[str, Mapping[str, Estimate]]) -> bool:
    return any(
        name + way.suffix + asked.suffix in values for values in estimates.values() for way in WAYS
    )


def _point(axis: Axes, found: Estimate, height: float, colour: str, name: str) -> None:
    axis.plot(found.value, height, "o", color=colour, markersize=5, label=name or None)
    if np.isfinite(found.low):
        axis.plot([found.low, found.high], [height, height], color=colour, linewidth=1.4)
