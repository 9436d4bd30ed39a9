"""One HTML file that says what was asked, of whom, on what, and how it went; no network needed.

Figures are in the file; sound, where there is some, is linked by relative paths.
"""

from __future__ import annotations

import base64
import io
import os
from functools import partial
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined

from mashnet.evaluation.figures import colour_of
from mashnet.evaluation.results import (
    Outcome,
    Plot,
    SoundExample,
    console_table,
    format_estimate,
    format_number,
    write_outcome,
)
from mashnet.files import written_atomically


def publish(outcome: Outcome, folder: Path, *, command: str) -> None:
    """Write figures and report into a folder; print the table, the notes and where each file lies.

    Args:
        outcome: what the protocol found.
        folder: made if absent.
        command: what was typed to get it.
    """
    written = write_outcome(outcome, folder)
    write_report(outcome, folder / "report.html", command=command)
    print(f"\n{outcome.title}  ({outcome.protocol})\n")
    print(console_table(outcome))
    print()
    for note in outcome.notes:
        print(f"note: {note}")
    sounds = dict.fromkeys(example.audio.parent for example in outcome.examples)
    for path in [*written, *sounds, folder / "report.html"]:
        print(f"written: {path}")


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
    environment.filters["beside"] = partial(_beside, path.parent)
    examples: dict[str, list[SoundExample]] = {}
    for example in outcome.examples:
        examples.setdefault(example.group, []).append(example)
    html = environment.get_template("report.html.j2").render(
        outcome=outcome,
        command=command,
        first=outcome.results[0],
        examples=examples,
        colours={result.scorer: colour_of(i) for i, result in enumerate(outcome.results)},
    )
    with written_atomically(path) as temporary:
        temporary.write_text(html, "utf-8")


def _beside(folder: Path, audio: Path) -> str:
    """Return the address of a file relative to a folder."""
    return quote(Path(os.path.relpath(audio, folder)).as_posix())


def _inline(plot: Plot) -> str:
    """Return a figure as a data: address."""
    buffer = io.BytesIO()
    plot.figure.savefig(buffer, format="png", dpi=144)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
