"""Choosing the best or the worst proposals by score, with no more than so many of a song."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from mashnet.mashups.proposals import Proposal


def choose(
    proposals: Sequence[Proposal],
    scores: np.ndarray,
    count: int,
    *,
    per_song: int,
    worst: bool = False,
) -> list[int]:
    """Return which proposals stand first (or last), in that order.

    Scorers like some songs with everybody; ten mashups of one song are no choice.

    Args:
        proposals: that were judged.
        scores: shape (proposals,); of equal scores the one that is moved less comes first.
        count: how many, at most.
        per_song: as base, and again as guest of one role, a song is chosen at most so often.
        worst: whether to begin at the other end.

    Returns:
        Indices; fewer than `count` where the songs do not suffice.
    """
    sign = 1 if worst else -1
    order = np.lexsort((np.array([p.distance for p in proposals]), sign * np.asarray(scores)))
    taken: Counter[tuple[str, str]] = Counter()
    chosen: list[int] = []
    for index in order:
        if len(chosen) >= count:
            break
        proposal = proposals[index]
        parts = [("base", proposal.base.song_id)]
        parts += [(role, guest.clip.song_id) for role, guest in proposal.guests.items()]
        if all(taken[part] < per_song for part in parts):
            taken.update(parts)
            chosen.append(int(index))
    return chosen
