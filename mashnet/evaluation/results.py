"""What a protocol hands back, and how it is written down.

metrics.json holds, for each Scorer, {protocol, scorer, data, split, metrics: {name: {value, low,
high, n}}} and further facts beside these; for several Scorers it is a list of such objects.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl
from matplotlib.figure import Figure

from mashnet.evaluation.statistics import Estimate, distinguishable
from mashnet.figure_files import as_png
from mashnet.files import write_json, written_atomically


@dataclass(frozen=True)
class Metric:
    """What a figure means, for readers of a report.

    Attributes:
        meaning: one sentence.
        chance: what a Scorer that does not listen gets on these items; None if that is no number.
        headline: whether it belongs in the short table on the console.
    """

    meaning: str
    chance: float | None = None
    headline: bool = False


@dataclass(frozen=True)
class ScorerResult:
    """One Scorer's figures under one protocol."""

    protocol: str
    scorer: str
    data: str
    split: str
    metrics: Mapping[str, Estimate]
    facts: Mapping[str, Any] = field(default_factory=dict)  # artefact_control, calibration, …

    def as_json(self) -> dict[str, Any]:
        """Return the object for metrics.json; what is not a number becomes null."""
        metrics = {
            name: {
                "value": _number(estimate.value),
                "low": _number(estimate.low),
                "high": _number(estimate.high),
                "n": estimate.n,
            }
            for name, estimate in self.metrics.items()
        }
        return {
            "protocol": self.protocol,
            "scorer": self.scorer,
            "data": self.data,
            "split": self.split,
            "metrics": metrics,
            **self.facts,
        }


@dataclass(frozen=True)
class Comparison:
    """The difference of two Scorers in one metric, on the same items."""

    metric: str
    first: str
    second: str
    difference: Estimate  # first minus second

    @property
    def told_apart(self) -> bool:
        """Whether the interval leaves out 0."""
        return distinguishable(self.difference)


@dataclass(frozen=True)
class Plot:
    """A figure, its file name without suffix, and the sentence that goes under it."""

    name: str
    figure: Figure
    caption: str

    @cached_property
    def png(self) -> bytes:
        """Return it as a file holds it, drawn once for all that show it."""
        return as_png(self.figure)


@dataclass(frozen=True)
class SoundExample:
    """A sound to hear in the report, and the figures beside it.

    Attributes:
        group: under which heading it stands: a Scorer's name, mostly.
        label: what it is among the others: "best 1".
        title: what is heard.
        audio: the file; the report must not be moved without it.
        figures: name → value; all examples of an outcome have the same names.
        remarks: what is to be said about it, one line each.
    """

    group: str
    label: str
    title: str
    audio: Path
    figures: Mapping[str, float]
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """Everything a protocol found."""

    protocol: str
    title: str
    summary: str  # what was asked of the Scorers, for a reader who does not know the protocol
    results: list[ScorerResult]
    metrics: dict[str, Metric]
    scores: pl.DataFrame  # one row per scorer and scored mix
    plots: list[Plot]
    comparisons: list[Comparison] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    examples: list[SoundExample] = field(default_factory=list)
    compared: str = "Both Scorers are measured on the same drawn songs (paired bootstrap)."


def write_outcome(outcome: Outcome, folder: Path) -> list[Path]:
    """Write metrics.json, comparisons.json, scores.parquet and the figures; return the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    values = [result.as_json() for result in outcome.results]
    write_json(folder / "metrics.json", values[0] if len(values) == 1 else values)
    written = [folder / "metrics.json", folder / "scores.parquet"]
    with written_atomically(folder / "scores.parquet") as temporary:
        outcome.scores.write_parquet(temporary)
    if outcome.comparisons:
        write_json(
            folder / "comparisons.json",
            [
                {
                    "metric": c.metric,
                    "first": c.first,
                    "second": c.second,
                    "difference": _number(c.difference.value),
                    "low": _number(c.difference.low),
                    "high": _number(c.difference.high),
                    "n": c.difference.n,
                    "told_apart": c.told_apart,
                }
                for c in outcome.comparisons
            ],
        )
        written.append(folder / "comparisons.json")
    for plot in outcome.plots:
        path = folder / f"{plot.name}.png"
        with written_atomically(path) as temporary:
            temporary.write_bytes(plot.png)
        written.append(path)
    return written


def format_number(value: float | None) -> str:
    """Return a figure with as many digits as a reader can use; a dash for none."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:.1f}" if abs(value) >= 100 else f"{value:.3f}"


def format_estimate(estimate: Estimate) -> str:
    """Return "0.912 [0.880, 0.941]"."""
    if not math.isfinite(estimate.low):
        return format_number(estimate.value)
    interval = f"[{format_number(estimate.low)}, {format_number(estimate.high)}]"
    return f"{format_number(estimate.value)} {interval}"


def console_table(outcome: Outcome) -> str:
    """Return the headline metrics of all Scorers as aligned text, with chance below."""
    names = [name for name, metric in outcome.metrics.items() if metric.headline]
    rows = [["scorer", *names]]
    rows += [
        [r.scorer, *(format_estimate(r.metrics[n]) if n in r.metrics else "–" for n in names)]
        for r in outcome.results
    ]
    rows.append(["(chance)", *(format_number(outcome.metrics[n].chance) for n in names)])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
