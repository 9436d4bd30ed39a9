"""Cutting songs into clips on downbeats, and giving each clip's stems their roles."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np


def cut_points(
    duration_s: float, downbeats: Sequence[float], *, min_s: float, max_s: float
) -> list[float]:
    """Return where a song is cut into near-equal clips that begin on downbeats.

    Args:
        duration_s: the song's length in seconds.
        downbeats: times in seconds; without any, the song is cut into equal clips.
        min_s: no clip is shorter; a song that is gives no clip.
        max_s: no clip is longer.

    Returns:
        The clips' borders in seconds, from 0 to the end; empty if the song is too short.
    """
    if duration_s < min_s:
        return []
    grid = np.asarray([d for d in downbeats if 0 < d < duration_s])
    fewest = max(1, math.ceil(duration_s / max_s - 1e-9))
    # Snapping moves borders by up to half a bar; a few more clips make room for that.
    for count in range(fewest, fewest + 4):
        equal = [duration_s * i / count for i in range(1, count)]
        inner = [float(grid[np.abs(grid - t).argmin()]) for t in equal] if grid.size else equal
        borders = [0.0, *inner, duration_s]
        lengths = np.diff(borders)
        if lengths.min() >= min_s and lengths.max() <= max_s:
            return borders
    return [duration_s * i / fewest for i in range(fewest + 1)]


def roles_of(kinds: Sequence[str]) -> list[str]:
    """Return the role of each stem of a clip from the kinds of all stems that sound in it.

    Who sings is the vocal. Where nobody does, the lead line takes that role, else the stems that
    are neither bass nor drums ("other"); the remaining pitched stems are harmonic.

    Args:
        kinds: vocal, lead, other, harmonic, percussion, accompaniment or "" (not one role), one
            per stem.
    """
    # Everything but the vocal: no role of the tables yet, so it is kept without one.
    kinds = ["" if kind == "accompaniment" else kind for kind in kinds]
    singing = next((kind for kind in ("vocal", "lead", "other") if kind in kinds), "")
    return [
        "vocal"
        if kind == singing and kind
        else "percussion"
        if kind == "percussion"
        else "harmonic"
        if kind
        else ""
        for kind in kinds
    ]
