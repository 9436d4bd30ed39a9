"""Windows of originals, and mixes of them that do not fit.

Not in the paper, whose 33,192 clips give mixes enough. On a few hundred a network learns the songs
by heart. Here each window of a role sounds in a mix that fits and in mixes that do not, so that
nothing but the fit tells them apart. And a network that hears roles one by one hears each window
once for many mixes.

Two songs at a time, each at two places, the second off the beat of the first, and at two pitches:

    window   0      1      2      3      4 … 7
    song     A      A      A      A      B, likewise
    place    a      b      a      b
    pitch    p      p      q      q
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mashnet.data.mashupdb import ROLES

MOST_S = 1.0  # largest move in time, as in the paper's unmatched_tempo
OFF_BEAT_S = 0.09  # a move nearer to a beat than this could still sound in time
COMMON_SEMITONES = 3.0  # every window is transposed by up to this, so that none stands out
MOST_SEMITONES = 6  # beyond, a key is nearer from the other side
WINDOWS = 4  # of a song
NEGATIVES = 3  # mixes that do not fit, per window
OTHER_PITCH = 0.5  # share of them in which a pitched role is of the other pitch
OTHER_PLACE = 0.3  # share in which one role is of the other place; in the rest, of the other song

_PITCHED = [index for index, role in enumerate(ROLES) if role != "percussion"]


@dataclass(frozen=True)
class Move:
    """Where a window begins, in frames, and how far it is transposed."""

    start: int
    semitones: float


@dataclass(frozen=True)
class Drawn:
    """Which windows are heard together, and whether they fit."""

    mixes: np.ndarray  # the window of each role, in the order of ROLES, (mixes, 3)
    labels: np.ndarray  # 1: fits, 0: does not, (mixes,)


def draw_moves(
    random: np.random.Generator,
    *,
    frames: int,
    window_frames: int,
    frames_per_s: float,
    beat_frames: float,
) -> list[Move]:
    """Draw the four windows of an original.

    Args:
        random: decides.
        frames: of the mix.
        window_frames: of a window.
        frames_per_s: rate of the frames.
        beat_frames: distance of two beats; 0 where it is not known.
    """
    most, nearest = round(MOST_S * frames_per_s), OFF_BEAT_S * frames_per_s
    start = most + int(random.integers(max(1, frames - window_frames - 2 * most)))
    moved = start + _off_beat_frames(random, most, nearest, beat_frames)
    semitones = draw_common_semitones(random)
    # The other pitch stays in range: from above the middle, six semitones up would leave it.
    step = int(random.integers(1, MOST_SEMITONES + 1)) * int(random.choice([-1, 1]))
    other = semitones + (-step if abs(semitones + step) > MOST_SEMITONES else step)
    return [Move(place, pitch) for pitch in (semitones, other) for place in (start, moved)]


def draw_common_semitones(random: np.random.Generator) -> float:
    """Draw by how much a window of any mix is transposed."""
    return float(random.uniform(-COMMON_SEMITONES, COMMON_SEMITONES))


def draw_mixes(random: np.random.Generator, songs: int, *, pitch_only: bool) -> Drawn:
    """Draw mixes of the windows of one or two songs.

    Args:
        random: decides.
        songs: how many; without a second, what would be of the other song is of the other place.
        pitch_only: whether all that does not fit is of the other pitch.

    Returns:
        Every window with itself, which fits; and per window `NEGATIVES` mixes in which one role is
        of the other pitch (a pitched role), of the other place, or of the other song.
    """
    mixes, labels = [], []
    for window in range(songs * WINDOWS):
        mixes.append([window] * len(ROLES))
        labels.append(1)
        for _ in range(NEGATIVES):
            role, kind = int(random.integers(len(ROLES))), random.random()
            if pitch_only or kind < OTHER_PITCH:
                role = int(random.choice(_PITCHED))
                other = window ^ 2
            elif kind < OTHER_PITCH + OTHER_PLACE or songs == 1:
                other = window ^ 1
            else:
                other = (1 - window // WINDOWS) * WINDOWS + int(random.integers(WINDOWS))
            mix = [window] * len(ROLES)
            mix[role] = other
            mixes.append(mix)
            labels.append(0)
    return Drawn(np.array(mixes), np.array(labels))


def _off_beat_frames(
    random: np.random.Generator, most: int, nearest: float, beat_frames: float
) -> int:
    for _ in range(100):
        offset = int(random.integers(-most, most + 1))
        beats = round(offset / beat_frames) if beat_frames else 0
        if abs(offset) > nearest and abs(offset - beats * beat_frames) > nearest:
            return offset
    return round(beat_frames / 2) or most // 2
