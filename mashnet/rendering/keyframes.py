"""Pieces of a guest: key frames between which its tempo is changed by one ratio.

Conventions: a key frame is (guest time, base time), in seconds from the start of each song's clip.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_SAME_S = 1e-6  # times this near are one
_TOLERANCE_S = 0.008  # how far a key frame may be from the line through its neighbours
_LONGEST_S = 120.0  # a longer piece is cut on a bar line: pieces are stretched in memory


@dataclass(frozen=True)
class Piece:
    """A stretch of the base in which a guest sounds without a jump.

    Attributes:
        keyframes_s: (guest time, base time), both strictly increasing, at least two; between two
            of them the guest's tempo is changed by one ratio. The guest may begin before 0 or end
            after its last sample: it is silent there.
    """

    keyframes_s: tuple[tuple[float, float], ...]

    @property
    def start_s(self) -> float:
        """Base time at which it begins."""
        return self.keyframes_s[0][1]

    @property
    def end_s(self) -> float:
        """Base time at which it ends."""
        return self.keyframes_s[-1][1]


def cut_up(keyframes: tuple[tuple[float, float], ...]) -> tuple[Piece, ...]:
    """Straighten key frames, and cut what is too long to be stretched at once."""
    (first, start_s), (last, end_s) = keyframes[0], keyframes[-1]
    if len(keyframes) == 2 and end_s - start_s > _LONGEST_S:  # without beats: anywhere
        count = int((end_s - start_s) // _LONGEST_S) + 1
        shares = [part / count for part in range(count + 1)]
        keyframes = tuple(
            (first + share * (last - first), start_s + share * (end_s - start_s))
            for share in shares
        )
    pieces = []
    begin = 0
    for end in range(1, len(keyframes)):
        at_end = end == len(keyframes) - 1
        if at_end or keyframes[end + 1][1] - keyframes[begin][1] > _LONGEST_S:
            pieces.append(Piece(straightened(keyframes[begin : end + 1])))
            begin = end
    return tuple(pieces)


def without_jumps(pieces: Sequence[Piece], bar_s: float) -> tuple[tuple[float, float], ...]:
    """Return the key frames of a guest that goes through several pieces and does not jump.

    In the bar before a jump the guest hurries or lingers instead, so that bar lines stay together.

    Args:
        pieces: at least one; each begins where the one before ends.
        bar_s: how long a bar of the base is.
    """
    frames = list(pieces[0].keyframes_s)
    for piece in pieces[1:]:
        guest_s, base_s = piece.keyframes_s[0]
        if abs(frames[-1][0] - guest_s) > _SAME_S:
            bar_line_s = base_s - bar_s
            guest, base = np.array(frames).T
            meeting = (float(np.interp(bar_line_s, base, guest)), bar_line_s)
            first = frames[0]
            frames = [frame for frame in frames if frame[1] < bar_line_s - _SAME_S]
            frames.append(meeting if frames else first)
        frames = [frame for frame in frames if frame[0] < guest_s and frame[1] < base_s]
        frames += piece.keyframes_s
    return tuple(frames)


def straightened(
    keyframes: Sequence[tuple[float, float]], tolerance_s: float = _TOLERANCE_S
) -> tuple[tuple[float, float], ...]:
    """Leave out key frames that a line through others comes near to; both ends stay.

    A tracker's beats lie on frames of 10 ms. Following them one by one makes the tempo of a steady
    song waver by percents; a line that passes each of them within a few milliseconds does not.

    Args:
        keyframes: pairs of times, strictly increasing.
        tolerance_s: by how much a pair's second time may be missed.
    """
    kept = [keyframes[0]]
    anchor = 0
    while anchor < len(keyframes) - 1:
        origin_in, origin_out = keyframes[anchor]
        least, most = 0.0, float("inf")
        best = anchor + 1
        for index in range(anchor + 1, len(keyframes)):
            run, rise = keyframes[index][0] - origin_in, keyframes[index][1] - origin_out
            if least <= rise / run <= most:
                best = index
            least = max(least, (rise - tolerance_s) / run)
            most = min(most, (rise + tolerance_s) / run)
            if least > most:
                break
        anchor = best
        kept.append(keyframes[anchor])
    return tuple(kept)
