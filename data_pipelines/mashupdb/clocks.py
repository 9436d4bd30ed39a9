"""Whether the stems of a song are on one clock to the sample, and what is said where not."""

from __future__ import annotations

from collections.abc import Sequence

from data_pipelines.rejects import reject_row
from data_pipelines.sources.song import RawSong, RawStem
from mashnet.audio.encoders.delay import doubt_of


def say_what_is_unsure(
    song: RawSong, stems: Sequence[RawStem], rejects: list[dict[str, str]]
) -> None:
    """Add a row for stems of which it is not known to the sample when they begin.

    Stems of one unknown kind are late by as much as each other: nothing is said of them.

    Args:
        song: whose they are.
        stems: those that are used.
        rejects: gets the row.
    """
    doubts: dict[str, list[str]] = {}
    for stem in stems:
        names = doubts.setdefault(doubt_of(stem.path), [])
        if stem.path.name not in names:
            names.append(stem.path.name)
    if len(doubts) < 2:
        return
    said = "; ".join(f"{', '.join(names)}: {doubt}" for doubt, names in doubts.items() if doubt)
    reason = f"its stems may begin some milliseconds apart. {said}"
    rejects.append(reject_row(song.origin, "clock", reason))
