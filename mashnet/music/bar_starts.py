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


def phrase_s(song: SongFacts, bar: int, bars: int) -> tuple[float, float]:
    """Return when a phrase begins and ends, in seconds from the start of the clip.

    Args:
        song: that has these bars.
        bar: its first bar, from 0.
        bars: how many; the last one of a song is as long as most are, if the clip lasts.
    """
    starts_s = bar_starts_s(song)
    end = bar + bars
    if end < len(starts_s):
        return float(starts_s[bar]), float(starts_s[end])
    usual_s = float(np.median(np.diff(starts_s))) if len(starts_s) > 1 else song.duration_s
    return float(starts_s[bar]), min(song.duration_s, float(starts_s[-1]) + usual_s)
