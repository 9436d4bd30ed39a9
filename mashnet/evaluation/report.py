"""One HTML file that says what was asked, of whom, on what, and how it went; no network needed.

Figures are in the file; sound, where there is some, is linked by relative paths.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from urllib.parse import quote

from mashnet.evaluation.figures import colour_of
from mashnet.evaluation.results import (
    Outcome,
    SoundExample,
    console_table,
    format_estimate,
    format_number,
    write_outcome,
)
from mashnet.pages import write_page


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
    examples: dict[str, list[SoundExample]] = {}
    for example in outcome.examples:
        examples.setdefault(example.group, []).append(example)
    write_page(
        path,
        "mashnet.evaluation",
        "report.html.j2",
        filters={
            "estimate": format_estimate,
            "number": format_number,
            "beside": partial(_beside, path.parent),
        },
        outcome=outcome,
        command=command,
        first=outcome.results[0],
        examples=examples,
        colours={result.scorer: colour_of(i) for i, result in enumerate(outcome.results)},
    )


def _beside(folder: Path, audio: Path) -> str:
    """Return the address of a file relative to a folder."""
    return quote(Path(os.path.relpath(audio, folder)).as_posix())
