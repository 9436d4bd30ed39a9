"""Windows of originals, and mixes of them that do not fit.

Not in the paper, whose 33,192 clips give mixes enough. On a few hundred a network learns the songs
by heart. Here each window of a role sounds in a mix that fits and in mixes that do not, so that
nothing but the fit tells them apart. And a network that hears roles one by one hears each window
once for many mixes.

Two songs at a time; each at two places of one version (its recipes differ in the common move, so
in pitch and tempo), the second off the beat of the first, and at two places of another version:

    window   0          1             2          3             4 … 7
    song     A          A             A          A             B, likewise
    version  p          p             q          q
    place    a          b             c          d
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mashnet.data.mashupdb import ROLES

MOST_S = 1.0  # largest move in time, as in the paper's unmatched_tempo
OFF_BEAT_S = 0.09  # a move nearer to a beat than this could still sound in time
NEGATIVES = 2  # mixes that do not fit, per window
OTHER_SONG = 0.3  # share of them in which one role is of the other song
OTHER_VERSION = 0.4  # share of the rest in which one role is of the other version, if there is one

_PERCUSSION = ROLES.index("percussion")


@dataclass(frozen=True)
class Drawn:
    """Which windows are heard together, and whether they fit."""

    mixes: np.ndarray  # the window of each role, in the order of ROLES, (mixes, 3)
    labels: np.ndarray  # 1: fits, 0: does not, (mixes,)


def draw_places(
    random: np.random.Generator,
    *,
    frames: int,
    window_frames: int,
    frames_per_s: float,
    beat_frames: float,
) -> tuple[int, int]:
    """Draw where two windows of a version begin, in frames, the second off the beat of the first.

    Args:
        random: decides.
        frames: of the mix.
        window_frames: of a window.
        frames_per_s: rate of the frames.
        beat_frames: distance of two beats; 0 where it is not known.
    """
    most, nearest = round(MOST_S * frames_per_s), OFF_BEAT_S * frames_per_s
    start = most + int(random.integers(max(1, frames - window_frames - 2 * most)))
    for _ in range(100):
        offset = int(random.integers(-most, most + 1))
        beats = round(offset / beat_frames) if beat_frames else 0
        if abs(offset) > nearest and abs(offset - beats * beat_frames) > nearest:
            return start, start + offset
    return start, start + (round(beat_frames / 2) or most // 2)


def draw_mixes(random: np.random.Generator, windows_of_songs: list[int]) -> Drawn:
    """Draw mixes of the windows of one or two songs.

    Args:
        random: decides.
        windows_of_songs: 2 for each song of one version, 4 for one of two.

    Returns:
        Every window with itself, which fits; and per window `NEGATIVES` mixes in which one role is
        of the other place, the other version or the other song. Percussion of another version
        may be in time at the same place of the music, so it is taken from its second place.
    """
    mixes, labels = [], []
    first = 0
    total = sum(windows_of_songs)
    for count in windows_of_songs:
        others = [w for w in range(total) if not first <= w < first + count]
        for own in range(count):
            window = first + own
            mixes.append([window] * len(ROLES))
            labels.append(1)
            for _ in range(NEGATIVES):
                role = int(random.integers(len(ROLES)))
                if others and random.random() < OTHER_SONG:
                    other = int(random.choice(others))
                elif count == 4 and random.random() < OTHER_VERSION:
                    other = first + (own ^ (3 if role == _PERCUSSION else 2))
                else:
                    other = first + (own ^ 1)
                mix = [window] * len(ROLES)
                mix[role] = other
                mixes.append(mix)
                labels.append(0)
        first += count
    return Drawn(np.array(mixes), np.array(labels))
