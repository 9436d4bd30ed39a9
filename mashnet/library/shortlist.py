"""The pairs of a large library that are worth comparing exactly: all of them, by short vectors.

Vectors of phrases are reduced (mashnet.library.reduction), and all phrases of all guests are
multiplied with those of all bases, block by block; a pair of clips is as good as its best phrases.
Clips are sorted by key and tempo, so that most blocks outside the limits are never multiplied.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from mashnet.data.mixes.candidates import Limits
from mashnet.library.meetings import Kind, Meetings
from mashnet.library.placed_sides import PlacedSides
from mashnet.library.short_vectors import Short, ShortVectors
from mashnet.models.phrases.scoring import PhraseScorer

_GUEST_ROWS, _BASE_ROWS = 256, 4096  # phrases of a block: their scores stay near the processor


def shortlist(
    sides: PlacedSides, scorer: PhraseScorer, limits: Limits, count: int
) -> list[tuple[str, str]]:
    """Return the most promising pairs of a library, (base, guest), best first.

    Args:
        sides: that take part.
        scorer: whose vectors are compared, at its shifts; its joint head is not asked.
        limits: how far a guest may be moved.
        count: how many, at most.
    """
    found: list[tuple[float, str, str]] = []
    for metre in sides.metres:
        meetings = Meetings(sides, metre, scorer.frontend.bars, scorer.shifts, limits)
        vectors = ShortVectors(sides, scorer, meetings)
        best = _Best(count)
        for kind in meetings.wanted:
            _compare(meetings, kind, vectors.guests[kind], vectors.bases[kind.length], best)
        for score, guest, base in best.pairs():
            found.append((score, meetings.bases[base], meetings.guests[guest]))
    found.sort(key=lambda pair: (-pair[0], *pair[1:]))
    return [(base, guest) for _, base, guest in found[:count]]


def _compare(meetings: Meetings, kind: Kind, guests: Short, bases: Short, best: _Best) -> None:
    """Multiply all phrases that may meet; `best` keeps the best pairs of clips."""
    grounds = list(_blocks(bases, _BASE_ROWS))
    for of_guests, guest_starts, leads in _blocks(guests, _GUEST_ROWS):
        for of_bases, base_starts, backings in grounds:
            allowed = meetings.allowed(of_guests, of_bases, kind)
            pairs = np.full(allowed.shape[1:], -np.inf, np.float32)
            for shift in np.flatnonzero(allowed.any(axis=(1, 2))):
                scores = (leads[shift] @ backings[0].T).numpy()
                rows = np.maximum.reduceat(scores, guest_starts, axis=0)
                found = np.maximum.reduceat(rows, base_starts, axis=1)
                np.maximum(pairs, found, out=pairs, where=allowed[shift])
            best.add(pairs, of_guests, of_bases)


def _blocks(short: Short, rows: int) -> Iterator[tuple[np.ndarray, np.ndarray, torch.Tensor]]:
    """Yield numbers of clips, where each begins, and vectors of all, (shifts, phrases, d)."""
    clips: list[int] = []
    for clip in sorted(clip for clip, vectors in short.items() if vectors.shape[1]):
        clips.append(clip)
        if sum(short[c].shape[1] for c in clips) >= rows:
            yield _block(clips, short)
            clips = []
    if clips:
        yield _block(clips, short)


def _block(clips: list[int], short: Short) -> tuple[np.ndarray, np.ndarray, torch.Tensor]:
    starts = np.cumsum([0, *(short[clip].shape[1] for clip in clips[:-1])])
    joined = np.concatenate([short[clip] for clip in clips], axis=1)
    return np.array(clips), starts, torch.from_numpy(joined)


class _Best:
    """The best of many pairs of clips, of which few are remembered at once."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._floor = -np.inf
        self._kept = np.zeros((3, 0))  # scores, guests, bases
        self._new: list[np.ndarray] = []
        self._waiting = 0

    def add(self, scores: np.ndarray, guests: np.ndarray, bases: np.ndarray) -> None:
        """Take scores, (guests, bases)."""
        g, b = np.nonzero(scores > self._floor)
        self._new.append(np.stack([scores[g, b], guests[g], bases[b]]))
        self._waiting += len(g)
        if self._waiting > max(self._count, 1 << 16):
            self._forget()

    def _forget(self) -> None:
        kept = np.concatenate([self._kept, *self._new], axis=1)
        self._new, self._waiting = [], 0
        if kept.shape[1] > self._count:
            kept = kept[:, np.argpartition(-kept[0], self._count - 1)[: self._count]]
            self._floor = kept[0].min()
        self._kept = kept

    def pairs(self) -> list[tuple[float, int, int]]:
        """Return score, guest and base of each."""
        self._forget()
        return [(float(score), int(g), int(b)) for score, g, b in self._kept.T]
