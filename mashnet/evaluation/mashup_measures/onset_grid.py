"""How far what is played lies from the grid of a song's beats, by its onsets alone.

The grid is four to a beat: sixteenths in common time. Detectors are late by some milliseconds, and
beat trackers are off by a few; both are the same for all that is played to one grid. So a layer
is compared with the grid as other music lies on it.
"""

from __future__ import annotations

import numpy as np
import soxr

from mashnet.audio.levels import rms_db
from mashnet.audio.numba_imports import compiling_alone

with compiling_alone():
    import librosa.feature.spectral
    import librosa.onset
    import librosa.util.utils


SUBDIVISIONS = 4  # of a beat
LEAST_ONSETS = 8
SILENT_DB = -70.0  # dBFS
_RATE = 22_050  # Hz
_HOP, _FFT = 128, 1024  # samples: 6 ms, and windows short enough for it


def onset_error_s(
    layer: np.ndarray, music: np.ndarray, sample_rate: int, beats_s: np.ndarray
) -> float:
    """Return how far onsets are from the nearest sixteenth, in seconds (median over onsets).

    Where they have nothing to do with the grid that is a quarter of a sixteenth: 31 ms at 120
    beats a minute.

    Args:
        layer: what is played to the grid, shape (samples,).
        music: what the grid belongs to; its median lag from the beats is taken off.
        sample_rate: of both, in Hz.
        beats_s: of the music.

    Returns:
        NaN where there are no beats or fewer than 8 onsets between them.
    """
    played_s = onset_times_s(layer, sample_rate)
    own = lags_s(onset_times_s(music, sample_rate), beats_s)
    late_s = float(np.median(own)) if len(own) >= LEAST_ONSETS else 0.0
    lags = lags_s(played_s - late_s, beats_s)
    return float(np.median(np.abs(lags))) if len(lags) >= LEAST_ONSETS else float("nan")


def onset_times_s(layer: np.ndarray, sample_rate: int) -> np.ndarray:
    """Return when something begins in a layer of shape (samples,), in seconds."""
    if len(layer) < _FFT * sample_rate / _RATE or rms_db(layer) < SILENT_DB:
        return np.zeros(0)
    signal = soxr.resample(layer, sample_rate, _RATE)
    # Amplitudes: logarithms would hear the faint echo that time-stretching puts before an attack.
    mel = librosa.feature.melspectrogram(y=signal, sr=_RATE, n_fft=_FFT, hop_length=_HOP, power=1.0)
    envelope = librosa.onset.onset_strength(S=mel, sr=_RATE, hop_length=_HOP, n_fft=_FFT)
    return librosa.onset.onset_detect(
        onset_envelope=envelope, sr=_RATE, hop_length=_HOP, units="time"
    )


def lags_s(onsets_s: np.ndarray, beats_s: np.ndarray) -> np.ndarray:
    """Return how late each onset is for the nearest sixteenth, in seconds, shape (onsets,).

    Onsets before the first beat and after the last are left out.
    """
    beats = np.asarray(beats_s, dtype=np.float64)
    if len(beats) < 2:
        return np.zeros(0)
    fine = np.arange((len(beats) - 1) * SUBDIVISIONS + 1) / SUBDIVISIONS
    grid = np.interp(fine, np.arange(len(beats)), beats)
    inside = onsets_s[(onsets_s >= grid[0]) & (onsets_s <= grid[-1])]
    apart = inside[:, None] - grid[None]
    return apart[np.arange(len(inside)), np.abs(apart).argmin(axis=1)]
