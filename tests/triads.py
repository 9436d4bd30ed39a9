"""Parts that are easy to reason about: decaying major chords, or noise bursts, at given times."""

import numpy as np

from mashnet.data.parts import ArrayPart

RATE = 16_000


def triads(onsets_s, tonic: int | None, seconds: float = 10.0) -> ArrayPart:
    """Play the major triad on `tonic` (0: C) at each onset; noise where `tonic` is None."""
    times = np.arange(round(seconds * RATE)) / RATE
    noise = np.random.default_rng(0).standard_normal(len(times))
    out = np.zeros_like(times)
    for onset in onsets_s:
        since = times - onset
        envelope = np.where(since >= 0, np.exp(-10 * np.maximum(since, 0)), 0)
        if tonic is None:
            out += envelope * noise
        else:
            for step in (0, 4, 7):
                hertz = 261.63 * 2 ** ((tonic + step) / 12)
                out += envelope * np.sin(2 * np.pi * hertz * times)
    return ArrayPart((0.1 * out).astype(np.float32), RATE)
