"""Agreement of tempi, with the errors that trackers are known for kept apart."""

from __future__ import annotations

TOLERANCE = 0.04  # relative; the usual one of tempo estimation (Gouyon et al., IEEE TASLP 2006)
# Estimated tempo over true tempo when a tracker follows another metrical level.
OCTAVES = (2.0, 1 / 2)
METRICAL_LEVELS = (3.0, 1 / 3, 4.0, 1 / 4, 3 / 2, 2 / 3, 4 / 3, 3 / 4)


def tempo_agreement(
    estimated_bpm: float, true_bpm: float, *, tolerance: float = TOLERANCE
) -> str | None:
    """Say how an estimated tempo agrees with the true one.

    Args:
        estimated_bpm: 0 where none was found.
        true_bpm: positive.
        tolerance: largest relative deviation, from the tempo at the level in question.

    Returns:
        "exact", "octave" (twice or half), "metrical" (3, 4, 3/2, 4/3 times, or their inverses),
        or None. The level that fits best decides.

    Raises:
        ValueError: if the true tempo is not positive.
    """
    if true_bpm <= 0:
        raise ValueError(f"a true tempo of {true_bpm} bpm")
    levels = {1.0: "exact"} | dict.fromkeys(OCTAVES, "octave")
    levels |= dict.fromkeys(METRICAL_LEVELS, "metrical")
    ratio = estimated_bpm / true_bpm
    nearest = min(levels, key=lambda level: abs(ratio / level - 1))
    return levels[nearest] if abs(ratio / nearest - 1) <= tolerance else None
