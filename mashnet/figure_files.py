"""Matplotlib figures as files; text such as $ and _ is drawn as it is written."""

from __future__ import annotations

import io
from typing import Any

from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import LogFormatter, ScalarFormatter

_OF_NUMBERS = (ScalarFormatter, LogFormatter)  # what may write formulas along an axis


def save_figure(figure: Figure, target: Any, *, dpi: int, format: str | None = None) -> None:
    """Save a figure; no title or name in it is taken for a formula.

    matplotlib sets what stands between two dollars as mathematics, and raises an error for a song
    called "money $_$". Numbers along an axis, which it writes itself, stay as they are.

    Args:
        figure: to be saved.
        target: a path, or a file that is open for writing.
        dpi: dots per inch.
        format: png, svg, …; None: by the name of the path.
    """
    computed: set[int] = set()
    for axis in figure.findobj(Axis):
        assert isinstance(axis, Axis)
        computed.add(id(axis.get_offset_text()))
        ticks = []
        if isinstance(axis.get_minor_formatter(), _OF_NUMBERS):
            ticks += axis.get_minor_ticks()
        if isinstance(axis.get_major_formatter(), _OF_NUMBERS):
            ticks += axis.get_major_ticks()
        computed.update(id(label) for tick in ticks for label in (tick.label1, tick.label2))
    for text in figure.findobj(Text):
        if isinstance(text, Text) and id(text) not in computed:
            text.set_parse_math(False)
    figure.savefig(target, dpi=dpi, format=format)


def as_png(figure: Figure) -> bytes:
    """Return a figure as a PNG file, at the size in which results show it."""
    buffer = io.BytesIO()
    save_figure(figure, buffer, format="png", dpi=144)
    return buffer.getvalue()
