"""Retrieval measures of a matrix of scores, as pure functions of numbers.

Conventions: `scores` has a row per query and a column per candidate, higher for a better fit;
`relevant` is the column of each query's one right answer. Tied candidates share their places
evenly, so that constant scores get what chance gets. (The published evaluations sort instead, so
that an encoder that maps everything to one point is ranked by the order of the files.)

Functions:
    placements_of: where the right answers stand, over all columns or without some.
    first_place_shares: what stands first: right track or not, right instrument or not.
    draw_opponents: which candidates of other songs a query is asked about.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mashnet.evaluation.metrics import Placement

FIRST_PLACES = (
    "right_track_and_instrument",
    "right_track_only",
    "right_instrument_only",
    "neither",
)


def placements_of(
    scores: np.ndarray, relevant: np.ndarray, left_out: np.ndarray | None = None
) -> Placement:
    """Count, for each query, the candidates before and level with the right one.

    Args:
        scores: shape (queries, candidates).
        relevant: shape (queries,), a column each.
        left_out: shape (queries, candidates), True for candidates that do not take part.

    Raises:
        ValueError: if shapes differ, a score is not finite, or a right answer is left out.
    """
    scores = _checked(scores)
    takes_part = ~_mask("left_out", left_out, scores)
    rows, relevant = np.arange(len(scores)), np.asarray(relevant)
    if relevant.shape != rows.shape:
        raise ValueError(f"{len(rows)} queries have {relevant.shape} right answers")
    if not takes_part[rows, relevant].all():
        raise ValueError("the right answer of a query is among those left out")
    right = scores[rows, relevant][:, None]
    return Placement(
        better=((scores > right) & takes_part).sum(1),
        tied=((scores == right) & takes_part).sum(1) - 1,
        candidates=takes_part.sum(1),
    )


def first_place_shares(
    scores: np.ndarray,
    same_track: np.ndarray,
    same_instrument: np.ndarray,
    left_out: np.ndarray | None = None,
) -> np.ndarray:
    """Say of which kind the candidate is that stands first.

    Args:
        scores: shape (queries, candidates).
        same_track: shape (queries, candidates), whether the candidate is of the query's song.
        same_instrument: whether it is the instrument that is looked for.
        left_out: True for candidates that do not take part; not all of a query's.

    Returns:
        Shape (queries, 4), in the order of FIRST_PLACES: 1 for the kind of the first candidate and
        0 for the others, or where several share the first place, the shares of each kind.

    Raises:
        ValueError: if shapes differ, a score is not finite, or nothing takes part.
    """
    scores = _checked(scores)
    track = _mask("same_track", same_track, scores)
    instrument = _mask("same_instrument", same_instrument, scores)
    absent = _mask("left_out", left_out, scores)
    if absent.all(axis=1).any():
        raise ValueError("no candidate of a query takes part")
    scores = np.where(absent, -np.inf, scores)
    first = scores == scores.max(axis=1, keepdims=True)
    kinds = (track & instrument, track & ~instrument, ~track & instrument, ~track & ~instrument)
    return np.stack([(first & kind).sum(1) for kind in kinds], axis=1) / first.sum(1, keepdims=True)


def draw_opponents(songs: Sequence[str], count: int, *, seed: int) -> np.ndarray | None:
    """Draw, for each item, others of other songs, every other song as often as can be.

    Args:
        songs: the song of each item.
        count: how many opponents.
        seed: of the draws.

    Returns:
        Shape (items, count), indices of items, none twice for the same item; None if the other
        songs of an item have too few.
    """
    _, song = np.unique(np.asarray(songs, dtype=str), return_inverse=True)
    items = len(song)
    if not items or items - np.bincount(song).max() < count:
        return None
    random = np.random.default_rng(seed)
    # Sorted by song, an item's turn is its place within its song: who comes first is drawn below.
    turn_of_place = np.arange(items) - np.searchsorted(np.sort(song), np.sort(song))
    chosen = np.empty((items, count), dtype=np.int64)
    turn = np.empty(items, dtype=np.int64)
    for index in range(items):
        turn[np.lexsort((random.random(items), song))] = turn_of_place
        # Each song's first, the songs in random order, then each song's second, and so on.
        order = np.lexsort((random.random(items), turn))
        chosen[index] = order[song[order] != song[index]][:count]
    return chosen


def _checked(scores: np.ndarray) -> np.ndarray:
    scores = np.asarray(scores, dtype=np.float64)
    if scores.ndim != 2 or not scores.size:
        raise ValueError(
            f"scores must have a row per query and a column per candidate, got {scores.shape}"
        )
    if not np.isfinite(scores).all():
        raise ValueError(f"{int((~np.isfinite(scores)).sum())} scores are not finite")
    return scores


def _mask(name: str, mask: np.ndarray | None, scores: np.ndarray) -> np.ndarray:
    """Return a mask of the shape of the scores; None: nothing."""
    found = np.zeros(scores.shape, bool) if mask is None else np.asarray(mask, bool)
    if found.shape != scores.shape:
        raise ValueError(f"{name} has shape {found.shape}, scores have {scores.shape}")
    return found
