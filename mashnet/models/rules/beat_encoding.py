"""What each beat of a part sounds like to AutoMashUpper: its chroma, onsets and power in bands.

An encoding is (beats, 28). Each row says whether there is a beat, then holds three vectors: 12 of
chroma, the strongest onsets at four moments in three bands, and the power in these bands.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from mashnet.audio.descriptors import (
    CHROMA_RATE,
    ONSET_HOP,
    ONSET_RATE,
    SAMPLE_RATE,
    chromagram,
    onsets_and_power_in_bands,
)
from mashnet.audio.numba_imports import compiling_alone
from mashnet.data.parts import Group

MOMENTS = 4  # of a beat at which onsets are read
BANDS = 3

# Where in a row each of them stands.
THERE, CHROMA = slice(0, 1), slice(1, 13)
ONSETS = slice(13, 13 + BANDS * MOMENTS)
POWER = slice(13 + BANDS * MOMENTS, 13 + BANDS * MOMENTS + BANDS)
FEATURES = POWER.stop


def no_beats() -> torch.Tensor:
    """Return the encoding of a part in which there is no beat, (1, 28): zeros."""
    return torch.zeros(1, FEATURES)


def beats_of(group: Group) -> torch.Tensor:
    """Return what each beat of a part sounds like, (beats, 28), at least one row.

    Args:
        group: one role; where its part knows its beats (`beats_s`, in seconds) none are tracked.
    """
    (part,) = group.values()
    samples = part.waveform(SAMPLE_RATE)
    if not len(samples) or float(np.abs(samples).max()) < 1e-4:
        return no_beats()
    onsets, power = onsets_and_power_in_bands(samples)
    known = getattr(part, "beats_s", None)
    if known is None:
        _, frames = _beat_tracker()(
            onset_envelope=onsets.mean(0).numpy(), sr=SAMPLE_RATE, hop_length=ONSET_HOP, trim=False
        )
    else:
        frames = np.round(np.asarray(known) * ONSET_RATE).astype(int)
    if len(frames) < 2:
        return no_beats()
    chroma = chromagram(samples)
    rows = []
    for begin, end in itertools.pairwise(int(frame) for frame in frames):
        first = round(begin / ONSET_RATE * CHROMA_RATE)
        last = max(first + 1, round(end / ONSET_RATE * CHROMA_RATE))
        pitches = chroma[:, first:last].mean(dim=1)
        rows.append(
            torch.cat(
                [
                    torch.ones(1),
                    pitches - pitches.mean(),
                    _moments(onsets, begin, end).flatten(),
                    power[:, begin:end].mean(dim=1),
                ]
            )
        )
    beats = torch.stack(rows)
    beats[:, CHROMA] = torch.nan_to_num(beats[:, CHROMA])
    beats[:, CHROMA] /= beats[:, CHROMA].norm(dim=1).mean().clamp_min(1e-9)
    bands = beats[:, ONSETS].unflatten(1, (BANDS, MOMENTS))
    beats[:, ONSETS] = (bands - bands.mean(dim=(0, 2), keepdim=True)).flatten(1)
    beats[:, POWER] /= beats[:, POWER].sum(dim=1).mean().clamp_min(1e-12)
    return beats


@functools.cache
def _beat_tracker() -> Callable[..., tuple[Any, np.ndarray]]:
    """Return librosa's, which takes seconds to import; parts whose beats are known need none."""
    with compiling_alone():
        import librosa.beat
        import librosa.util.utils
    return librosa.beat.beat_track


def _moments(onsets: torch.Tensor, begin: int, end: int) -> torch.Tensor:
    """Return the strongest onset around each moment of a beat, (bands, MOMENTS)."""
    edges = np.round(begin + (np.arange(MOMENTS + 1) - 0.5) * (end - begin) / MOMENTS).astype(int)
    edges = np.clip(edges, 0, onsets.shape[1])
    return torch.stack(
        [
            onsets[:, a : max(b, a + 1)].amax(dim=1) if a < onsets.shape[1] else onsets[:, 0] * 0
            for a, b in itertools.pairwise(edges)
        ],
        dim=1,
    )
