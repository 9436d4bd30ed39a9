"""How much of the time a voice and the music under it are in different keys, by their chroma.

Two tones a semitone or a tritone apart (minor second, major seventh, augmented fourth) are the
sharp dissonances of tonal harmony. Songs have them too, in passing and in chords that want to be
resolved, but seldom with most of what a voice does for half a second: that is a clash here.

Conventions: signals are mono, any rate. A pitch class is *strong* in a frame if it has at least
half the amplitude of the frame's strongest. Frames last half a second.
"""

from __future__ import annotations

import numpy as np
import soxr

from mashnet.audio.levels import rms_db
from mashnet.audio.numba_imports import compiling_alone

with compiling_alone():
    import librosa.core.constantq
    import librosa.core.pitch
    import librosa.feature.spectral
    import librosa.util.utils


FRAME_S = 0.5
SILENT_DB = -70.0  # dBFS: a layer below is not there
_RATE = 22_050  # Hz
_HOP = 2048  # samples; librosa wants a power of two
_LOWEST_NOTE, _OCTAVES, _BINS_PER_OCTAVE = "C2", 5, 36
_STRONG = 0.5  # of the strongest amplitude
_MOSTLY = 0.5  # of the voice's energy
_CLASHING = (1, 6, 11)  # semitones above


def key_clash(voice: np.ndarray, music: np.ndarray, sample_rate: int) -> float:
    """Return the share of time in which a voice and pitched music clash, in [0, 1].

    A frame clashes if more than half of the voice's energy lies in pitch classes that are a
    semitone or a tritone from a strong one of the music, and that are not strong in it themselves.
    Frames count as much as the softer of the two is loud in them.

    Args:
        voice: shape (samples,).
        music: what has pitch in the music, shape (samples,).
        sample_rate: of both, in Hz.

    Returns:
        NaN where one of them is silent, both never sound together, or they are shorter than a
        frame.
    """
    if min(len(voice), len(music)) < 2 * FRAME_S * sample_rate:
        return float("nan")
    if min(rms_db(voice), rms_db(music)) < SILENT_DB:
        return float("nan")
    voice, music = (soxr.resample(layer, sample_rate, _RATE) for layer in (voice, music))
    # One tuning for both: what is out of tune with the music is not put right.
    tuning = librosa.estimate_tuning(y=music, sr=_RATE, bins_per_octave=12)
    return clashing_share(*(_chroma(layer, tuning) for layer in (voice, music)))


def clashing_share(voice: np.ndarray, music: np.ndarray) -> float:
    """Return the share of frames that clash, each weighed by the softer of the two.

    Args:
        voice: amplitudes of pitch classes, shape (12, frames).
        music: the same.

    Returns:
        In [0, 1]; NaN where no frame has both.
    """
    frames = min(voice.shape[1], music.shape[1])
    voice, music = voice[:, :frames], music[:, :frames]
    weights = np.minimum(np.linalg.norm(voice, axis=0), np.linalg.norm(music, axis=0))
    if not weights.sum() > 0:
        return float("nan")
    strong = music >= _STRONG * music.max(axis=0)
    apart = np.any([np.roll(strong, steps, axis=0) for steps in _CLASHING], axis=0) & ~strong
    energy = np.square(voice)
    clashing = (energy * apart).sum(axis=0) > _MOSTLY * energy.sum(axis=0)
    return float(weights[clashing].sum() / weights.sum())


def _chroma(layer: np.ndarray, tuning: float) -> np.ndarray:
    """Return the amplitude in each pitch class, C first, (12, frames) of half a second."""
    chroma = librosa.feature.chroma_cqt(
        y=layer,
        sr=_RATE,
        hop_length=_HOP,
        fmin=librosa.note_to_hz(_LOWEST_NOTE),
        n_octaves=_OCTAVES,
        bins_per_octave=_BINS_PER_OCTAVE,
        tuning=tuning,
        norm=None,
    )
    steps = round(FRAME_S * _RATE / _HOP)
    whole = chroma.shape[1] // steps * steps
    return chroma[:, :whole].reshape(12, -1, steps).mean(axis=2)
