"""When the bars of a song begin: what a count of its bars means."""

from __future__ import annotations

import numpy as np

from mashnet.music.song_facts import SongFacts

USUAL_BEATS = 4  # of a bar, where nobody knows


def bar_starts_s(song: SongFacts) -> np.ndarray:
    """Return when each bar of a song begins, in seconds from the start of its clip.

    Args:
        song: whose bars.

    Returns:
        Its downbeats in order of time, shape (bars,); of a song without any every so many beats
        from the first one on, as the renderer counts them.
    """
    known: np.ndarray = np.unique(np.asarray(song.downbeats_s, np.float64))
    known = known[np.isfinite(known)]
    if known.size:
        return known
    beats: np.ndarray = np.unique(np.asarray(song.beats_s, np.float64))
    return beats[np.isfinite(beats)][:: song.beats_per_bar or USUAL_BEATS]
