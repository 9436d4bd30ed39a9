"""The two mel scales as arithmetic: Slaney's (Auditory Toolbox, 1998) and HTK's (Young et al.).

torchaudio has filters on both but keeps the scales to itself, and librosa, which has them, takes
seconds to import.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

# Slaney's scale is linear below 1 kHz, 15 mels wide; above it 27 mels are a factor of 6.4.
_KNEE_HZ, _KNEE_MEL = 1000.0, 15.0
_MELS_PER_LOG = 27.0 / np.log(6.4)


def hz_to_mel(hertz: npt.ArrayLike) -> np.ndarray:
    """Return frequencies in Hz on Slaney's scale."""
    hertz = np.asarray(hertz, dtype=np.float64)
    above = _KNEE_MEL + _MELS_PER_LOG * np.log(np.maximum(hertz, _KNEE_HZ) / _KNEE_HZ)
    return np.where(hertz < _KNEE_HZ, hertz * _KNEE_MEL / _KNEE_HZ, above)


def mel_to_hz(mels: npt.ArrayLike) -> np.ndarray:
    """Return places on Slaney's scale in Hz."""
    mels = np.asarray(mels, dtype=np.float64)
    above = _KNEE_HZ * np.exp((mels - _KNEE_MEL) / _MELS_PER_LOG)
    return np.where(mels < _KNEE_MEL, mels * _KNEE_HZ / _KNEE_MEL, above)


def htk_frequencies(count: int, lowest_hz: float, highest_hz: float) -> np.ndarray:
    """Return frequencies in Hz that lie evenly on HTK's scale, both ends included, (count,)."""
    low, high = 2595.0 * np.log10(1.0 + np.array([lowest_hz, highest_hz]) / 700.0)
    return 700.0 * (10.0 ** (np.linspace(low, high, count) / 2595.0) - 1.0)
