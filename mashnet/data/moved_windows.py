"""An original at two places and two pitches: windows that fit, and mixes of them that do not.

Not in the paper, whose 33,192 clips give mixes enough. On a few hundred a network learns the songs
by heart. Here each window of a role sounds in a mix that fits and in mixes that do not, so that
nothing but the fit tells them apart. And a network that hears roles one by one hears each window
once for many mixes.

    window   0      1             2                 3
    place    a      b, off beat   a                 b
    pitch    p      p             q, another key    q
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mashnet.data.mashupdb import ROLES

MOST_S = 1.0  # largest move in time, as in the paper's unmatched_tempo
OFF_BEAT_S = 0.09  # a move nearer to a beat than this could still sound in time
COMMON_SEMITONES = 3.0  # every window is transposed by up to this, so that none stands out
MOST_SEMITONES = 6  # beyond, a key is nearer from the other side
TOP_SHARE = (0.5, 1.0)  # of the highest band: range of the cut-off, see `MelTransposition`

WINDOWS = 4
_PITCHED = tuple(index for index, role in enumerate(ROLES) if role != "percussion")


@dataclass(frozen=True)
class Move:
    """Where a window begins and how far it is transposed."""

    start: int  # frame
    semitones: float


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
        random: decides all.
        frames: of the mix.
        window_frames: of a window.
        frames_per_s: rate of the frames.
        beat_frames: distance of two beats; 0 where it is not known.
    """
    most = round(MOST_S * frames_per_s)
    start = most + int(random.integers(max(1, frames - window_frames - 2 * most)))
    offset = _off_beat_frames(random, most, OFF_BEAT_S * frames_per_s, beat_frames)
    semitones = draw_common_semitones(random)
    # Another pitch that is not beyond the range; a tritone away from the octave is never reached.
    other = semitones + int(random.choice([-1, 1])) * int(random.integers(1, MOST_SEMITONES + 1))
    if abs(other) > MOST_SEMITONES:
        other = 2 * semitones - other
    return [Move(s, pitch) for pitch in (semitones, other) for s in (start, start + offset)]


def draw_common_semitones(random: np.random.Generator) -> float:
    """Draw by how much a window of any mix is transposed."""
    return float(random.uniform(-COMMON_SEMITONES, COMMON_SEMITONES))


def draw_mixes(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw which of the four windows are heard together.

    Returns:
        The window of each role, in the order of ROLES, (16, 3), and the labels, (16,): the four
        windows themselves fit; with any one role from the other place, or with either pitched
        role from the other pitch, they do not. A role moved both ways is left out: it is easily
        noticed, and networks that are given such mixes learn to hear time only.
    """
    mixes, labels = [], []
    for window in range(WINDOWS):
        mixes.append([window] * len(ROLES))
        labels.append(1)
        out_of_time = int(random.integers(len(ROLES)))
        for role, other in ((out_of_time, 1), *((pitched, 2) for pitched in _PITCHED)):
            mix = [window] * len(ROLES)
            mix[role] = window ^ other
            mixes.append(mix)
            labels.append(0)
    return np.array(mixes), np.array(labels)


def _off_beat_frames(
    random: np.random.Generator, most: int, nearest: float, beat_frames: float
) -> int:
    """Return a move in time that does not land near a beat."""
    for _ in range(100):
        frames = int(random.integers(-most, most + 1))
        beats = round(frames / beat_frames) if beat_frames else 0
        if abs(frames) > nearest and abs(frames - beats * beat_frames) > nearest:
            return frames
    return round(beat_frames / 2) or most // 2
