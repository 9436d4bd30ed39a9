"""Sections of a song: stretches with one function, such as verse and chorus; no audio.

Conventions: times are in seconds from the start of the clip; the sections of a clip come in order
of time and do not overlap.
"""

from __future__ import annotations

from dataclasses import dataclass

LABELS = ("intro", "verse", "chorus", "bridge", "inst", "outro")


@dataclass(frozen=True)
class Section:
    """A stretch of a clip and what it is there for.

    Attributes:
        start_s: when it begins.
        end_s: when it ends.
        label: one of `LABELS`.
    """

    start_s: float
    end_s: float
    label: str
