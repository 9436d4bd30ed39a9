"""A page to hear a collection of mashups: one HTML file beside the sound, no network needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from mashnet.files import written_atomically


def write_page(folder: Path, rows: Sequence[Mapping[str, Any]], *, judged: int) -> Path:
    """Write index.html with a player for each mashup.

    Args:
        folder: of the collection.
        rows: of the collection, best first.
        judged: how many pairs they were chosen from.

    Returns:
        Its path.
    """
    environment = Environment(
        loader=PackageLoader("mashnet.rendering"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    path = folder / "index.html"
    html = environment.get_template("mashups.html.j2").render(rows=rows, judged=judged)
    with written_atomically(path) as temporary:
        temporary.write_text(html, "utf-8")
    return path
