"""One HTML file that says what was asked, of whom, on what, and how it went; no network needed."""

from __future__ import annotations

import base64
import io
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from mashnet.evaluation.figures import colour_of
from mashnet.evaluation.results import Outcome, Plot, format_estimate, format_number
from mashnet.files import written_atomically


def write_report(outcome: Outcome, path: Path, *, command: str) -> None:
    """Write the report, figures inside it.

    Args:
        outcome: what the protocol found.
        path: the HTML file.
        command: what was typed to get it.
    """
    environment = Environment(
        loader=PackageLoader("mashnet.evaluation"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["estimate"] = format_estimate
    environment.filters["number"] = format_number
    environment.filters["inline"] = _inline
    html = environment.get_template("report.html.j2").render(
        outcome=outcome,
        command=command,
        first=outcome.results[0],
        colours={result.scorer: colour_of(i) for i, result in enumerate(outcome.results)},
    )
    with written_atomically(path) as temporary:
        temporary.write_text(html, "utf-8")


def _inline(plot: Plot) -> str:
    """Return a figure as a data: address."""
    buffer = io.BytesIO()
    plot.figure.savefig(buffer, format="png", dpi=144)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
