"""Sections of a song: stretches with one function, such as verse and chorus; no audio.

Conventions: times are in seconds from the start of the clip; the sections of a clip come in order
of time and do not overlap.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

LABELS = ("intro", "verse", "chorus", "bridge", "inst", "outro")
_SHORTEST_S = 0.05  # what is left of a section at the edge of a clip is none if it is shorter

# What annotators write, and what it is here; the first pattern that is found in a name wins. The
# merging of prechorus into verse and of solo and break into inst follows Wang, Hung and Smith
# (ICASSP 2022); names that it does not list are of the Harmonix Set.
_NAMES = (
    (r"silence|^start$|^end$", ""),
    (r"pre-?chorus|pre-?verse|rap|build|section|slow|fast|dialog", "verse"),
    (r"chorus|refrain|theme|stutter", "chorus"),
    (r"verse", "verse"),
    (r"intro|fade-?in|opening", "intro"),
    (r"bridge|^trans", "bridge"),
    (r"out|coda|ending", "outro"),
    (r"inst|solo|break|^bre$|interlude|gtr|guitar|riff|synth|sax|drum|impro", "inst"),
)


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


def label_of(name: str) -> str | None:
    """Return the label that an annotator's name for a section stands for, "" for no section.

    Case and trailing numbers do not matter: "Verse2" is a verse, "prechorus" and "rap" are verses,
    "gtrsolo" is inst; "end" and "silence" are no section. None for a name that is not known.
    """
    plain = re.sub(r"[\W_\d]+$", "", name.strip().lower())
    return next((label for pattern, label in _NAMES if re.search(pattern, plain)), None)


def sections_within(sections: Sequence[Section], start_s: float, end_s: float) -> list[Section]:
    """Return the parts of sections that lie in a stretch, in seconds from its beginning.

    Args:
        sections: in order of time.
        start_s: where the stretch begins.
        end_s: where it ends.
    """
    parts = [
        Section(
            round(max(section.start_s, start_s) - start_s, 4),
            round(min(section.end_s, end_s) - start_s, 4),
            section.label,
        )
        for section in sections
    ]
    return [part for part in parts if part.end_s - part.start_s > _SHORTEST_S]
