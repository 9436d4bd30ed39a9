"""What an analysis looks like: text, JSON, and one HTML file that needs no network."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mashnet.evaluation.results import Plot, format_estimate, format_number
from mashnet.evaluation.statistics import Estimate
from mashnet.listening.analysis import Analysis
from mashnet.listening.figures import TITLES
from mashnet.listening.measures import Opinion
from mashnet.listening.table import MEAN, SCALES
from mashnet.pages import write_page

_SHOWN = ("overall", MEAN)  # scales of the tests on the console; all are in the report


def as_json(analysis: Analysis) -> dict[str, Any]:
    """Return everything as JSON; what is not a number becomes null."""
    ratings = analysis.table.ratings
    return {
        "ratings": len(ratings),
        "participants": ratings["participant"].n_unique(),
        "clips": ratings["item"].n_unique(),
        "mean_opinions": [_plain(one) for one in analysis.opinions],
        "cronbach_alpha": {
            **_plain(analysis.alpha),
            "without": {name: _plain(value) for name, value in analysis.alpha_without.items()},
        },
        "mann_whitney": [_plain(one) for one in analysis.high_against_low],
        "wilcoxon": [_plain(one) for one in analysis.system_against_system],
        "correlations": [_plain(one) for one in analysis.agreements],
        "heard": [_plain(one) for one in analysis.heard],
        "not_computed": [_plain(one) for one in analysis.not_computed],
        "by_participant": [_plain(row) for row in analysis.participants.iter_rows(named=True)],
    }


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _plain({f.name: getattr(value, f.name) for f in dataclasses.fields(value)})
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def console(analysis: Analysis) -> str:
    """Return the tables as aligned text."""
    ratings = analysis.table.ratings
    parts = [
        f"{len(ratings)} ratings of {ratings['item'].n_unique()} clips by "
        f"{ratings['participant'].n_unique()} participants",
        "Mean opinion scores [95 % interval over participants and clips]\n"
        + _opinion_table(analysis.opinions),
        f"Cronbach's alpha of the five questions: {format_estimate(analysis.alpha)}",
    ]
    if analysis.high_against_low:
        rows = [
            [one.system, one.scale, one.unit, f"{one.n_high}, {one.n_low}", f"{one.u:g}",
             format_number(one.superiority), p_text(one.p), p_text(one.p_holm)]
            for one in analysis.high_against_low if one.scale in _SHOWN
        ]  # fmt: skip
        head = ["system", "scale", "unit", "n", "U", "superiority", "p", "p (Holm)"]
        parts.append("Best against worst (Mann–Whitney)\n" + aligned([head, *rows]))
    if analysis.system_against_system:
        rows = [
            [f"{one.first} − {one.second}", one.scale, rating_text(one.difference),
             str(one.participants), p_text(one.p), p_text(one.p_holm)]
            for one in analysis.system_against_system if one.scale in _SHOWN
        ]  # fmt: skip
        head = ["systems", "scale", "difference", "participants", "p", "p (Holm)"]
        parts.append("System against system (Wilcoxon)\n" + aligned([head, *rows]))
    if analysis.agreements:
        rows = [
            [one.scorer, one.clips, one.measure, format_estimate(one.value), str(one.value.n),
             p_text(one.p)]
            for one in analysis.agreements if one.scale == MEAN
        ]  # fmt: skip
        head = ["scorer", "clips", "", "with the mean of five", "n", "p"]
        parts.append("Scorers and listeners\n" + aligned([head, *rows]))
    parts.append("Heard before?\n" + _opinion_table(analysis.heard))
    if analysis.not_computed:
        lines = [f"  {one.what}: {one.why}" for one in analysis.not_computed]
        parts.append("\n".join(["Not computed", *lines]))
    return "\n\n".join(parts) + "\n"


def _opinion_table(opinions: Sequence[Opinion]) -> str:
    head = ["", *SCALES, "ratings"]
    rows = [
        [one.group, *(rating_text(one.means[s]) for s in SCALES), str(one.means[MEAN].n)]
        for one in opinions
    ]
    return aligned([head, *rows])


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Return rows of cells as text with aligned columns."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def rating_text(estimate: Estimate) -> str:
    """Return "3.42 [2.98, 3.81]": a mean of ratings has no third digit."""
    if not math.isfinite(estimate.value):
        return "–"
    if not math.isfinite(estimate.low):
        return f"{estimate.value:.2f}"
    return f"{estimate.value:.2f} [{estimate.low:.2f}, {estimate.high:.2f}]"


def p_text(p: float) -> str:
    """Return a p value as it is printed in papers."""
    if not math.isfinite(p):
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def write_report(
    analysis: Analysis,
    plots: Sequence[Plot],
    path: Path,
    *,
    title: str,
    command: str,
    warnings: Sequence[str],
) -> None:
    """Write the report, figures inside it.

    Args:
        analysis: what was found.
        plots: its figures.
        path: the HTML file.
        title: of the test.
        command: what was typed to get it.
        warnings: what was left out.
    """
    write_page(
        path,
        "mashnet.listening",
        "report.html.j2",
        filters={
            "estimate": format_estimate,
            "number": format_number,
            "p": p_text,
            "rating": rating_text,
        },
        analysis=analysis,
        ratings=analysis.table.ratings,
        participants=list(analysis.participants.iter_rows(named=True)),
        titles=TITLES,
        scales=SCALES,
        plots={plot.name: plot for plot in plots},
        title=title,
        command=command,
        warnings=warnings,
    )
