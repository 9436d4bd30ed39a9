"""HTML files from templates: what people open in a browser, with no network needed."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from mashnet.files import written_atomically


def write_page(
    path: Path,
    package: str,
    template: str,
    *,
    filters: Mapping[str, Callable[..., Any]] | None = None,
    **values: Any,
) -> None:
    """Fill a template and write it, atomically; values are escaped.

    Args:
        path: the HTML file.
        package: whose folder `templates` holds the template.
        template: its file name.
        filters: that the template uses, by name; `inline`, of a PNG, is always there.
        values: that the template uses; one it does not get is an error.
    """
    environment = Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update({"inline": inline, **(filters or {})})
    html = environment.get_template(template).render(values)
    with written_atomically(path) as temporary:
        temporary.write_text(html, "utf-8")


def inline(png: bytes) -> str:
    """Return a picture as a data: address, so that a page needs no file beside it."""
    return "data:image/png;base64," + base64.b64encode(png).decode()
