"""Windows of an original at two pitches, and mixes of them that do not fit.

Not in the paper, whose 33,192 clips give mixes enough. On a few hundred a network learns the songs
by heart. Here each window of a role sounds in a mix that fits and in a mix that does not, so that
nothing but the fit tells them apart. And a network that hears roles one by one hears each window
once for many mixes.

    window   0      1      2      3
    place    a      b      a      b
    pitch    p      p      q      q

Other ways not to fit were tried beside the pitch: one role from another place, version or song. A
network found the one that is easiest to hear (timing) and hardly learned the others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mashnet.data.roles import ROLES

COMMON_SEMITONES = 3.0  # every window is transposed by up to this, so that none stands out
MOST_SEMITONES = 6  # beyond, a key is nearer from the other side
PLACES = 2  # of an original; as many windows are at each of the two pitches
PITCHED = [index for index, role in enumerate(ROLES) if role != "percussion"]


@dataclass(frozen=True)
class Place:
    """Where a window begins, in frames, and how far it is transposed."""

    start: int
    semitones: float


def draw_places(random: np.random.Generator, *, frames: int, window_frames: int) -> list[Place]:
    """Draw the windows of an original that has so many frames, in the order above."""
    starts = random.integers(max(1, frames - window_frames + 1), size=PLACES)
    semitones = draw_common_semitones(random)
    # The other pitch stays in range: from above the middle, six semitones up would leave it.
    step = int(random.integers(1, MOST_SEMITONES + 1)) * int(random.choice([-1, 1]))
    other = semitones + (-step if abs(semitones + step) > MOST_SEMITONES else step)
    return [Place(int(start), pitch) for pitch in (semitones, other) for start in starts]


def draw_common_semitones(random: np.random.Generator) -> float:
    """Draw by how much a window of any mix is transposed."""
    return float(random.uniform(-COMMON_SEMITONES, COMMON_SEMITONES))


def mixes_of_windows() -> tuple[np.ndarray, np.ndarray]:
    """Return which windows are heard together, and whether they fit.

    Returns:
        The window of each role, in the order of ROLES, (mixes, 3), and the labels, (mixes,):
        every window with itself (1: fits), and with one of its pitched roles from the window of
        the other pitch at the same place (0: does not).
    """
    mixes, labels = [], []
    for window in range(2 * PLACES):
        mixes.append([window] * len(ROLES))
        labels.append(1)
        for role in PITCHED:
            mix = [window] * len(ROLES)
            mix[role] = (window + PLACES) % (2 * PLACES)
            mixes.append(mix)
            labels.append(0)
    return np.array(mixes), np.array(labels)
