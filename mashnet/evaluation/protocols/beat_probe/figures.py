"""Figures of beat_probe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from mashnet.evaluation.figures import FAINT, INK, colour_of, label, line_of, panels
from mashnet.evaluation.statistics import Estimate

_SHOWN_S = 12.0


def metric_bars(estimates: Mapping[str, Mapping[str, Estimate]], metrics: Sequence[str]) -> Figure:
    """Draw a bar per Scorer for each metric, with its interval.

    Args:
        estimates: Scorer → metric → estimate.
        metrics: which ones, in this order; all within [0, 1].
    """
    figure, axes = panels(1, 1, width=1.6 * len(metrics) + 1.5, height=3.2)
    axis = axes[0, 0]
    width = 0.8 / len(estimates)
    for index, (name, values) in enumerate(estimates.items()):
        found = [values[metric] for metric in metrics]
        heights = np.array([estimate.value for estimate in found])
        reach = np.array([[e.value - e.low, e.high - e.value] for e in found]).T
        axis.bar(
            np.arange(len(metrics)) + (index - (len(estimates) - 1) / 2) * width,
            heights,
            0.9 * width,
            yerr=np.nan_to_num(reach).clip(min=0),
            color=colour_of(index),
            ecolor=INK,
            error_kw={"linewidth": 0.8},
            label=name,
        )
    axis.set_xticks(range(len(metrics)), metrics)
    axis.set_ylim(0, 1)
    label(axis, y="mean over clips")
    axis.legend(fontsize=7, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def activation_curves(
    activations: Mapping[str, np.ndarray], beats: Sequence[float], frames_per_s: int
) -> Figure:
    """Draw what each Scorer's probes say about the same seconds, and where the beats are.

    Args:
        activations: Scorer → probabilities, (frames,).
        beats: in seconds.
        frames_per_s: of the activations.
    """
    figure, axes = panels(len(activations), 1, width=7.0, height=1.2)
    longest_s = max(map(len, activations.values())) / frames_per_s
    first_s = max(0.0, (longest_s - _SHOWN_S) / 2)
    shown = slice(int(first_s * frames_per_s), int((first_s + _SHOWN_S) * frames_per_s) + 1)
    highest = max(float(values[shown].max(initial=0.0)) for values in activations.values())
    for index, (axis, (name, values)) in enumerate(
        zip(axes.flat, activations.items(), strict=True)
    ):
        for beat in beats:
            axis.axvline(beat, color=FAINT, linewidth=0.8)
        axis.plot(np.arange(len(values)) / frames_per_s, values, **line_of(index), linewidth=1.0)
        axis.set_xlim(first_s, min(longest_s, first_s + _SHOWN_S))
        axis.set_ylim(0, max(1.1 * highest, 1e-3))
        label(axis, title=name, x="seconds" if index == len(activations) - 1 else "")
    return figure
