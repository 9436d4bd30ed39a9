"""Level of a signal: RMS in dB of full scale, and the share of time that it is active."""

from __future__ import annotations

import numpy as np

FRAME_S = 0.1
ACTIVE_ABOVE_DB = -60.0  # dB relative to full scale
FLOOR_DB = -120.0  # what digital silence reads


def rms_db(audio: np.ndarray) -> float:
    """Return the root mean square over all channels in dBFS; at least -120."""
    if audio.size == 0:
        return FLOOR_DB
    power = float(np.mean(np.square(audio, dtype=np.float64)))
    return max(FLOOR_DB, 10 * np.log10(power)) if power > 0 else FLOOR_DB


def active_ratio(audio: np.ndarray, sample_rate: int) -> float:
    """Return the share of 100 ms frames whose root mean square exceeds -60 dBFS.

    Args:
        audio: shape (channels, samples); an incomplete last frame counts as a frame.
        sample_rate: in Hz.
    """
    if audio.size == 0:
        return 0.0
    frame_samples = max(1, round(FRAME_S * sample_rate))
    power = np.square(audio, dtype=np.float64).mean(axis=0)
    starts = np.arange(0, len(power), frame_samples)
    frame_power = np.add.reduceat(power, starts) / np.diff(np.append(starts, len(power)))
    return float(np.mean(frame_power > 10 ** (ACTIVE_ABOVE_DB / 10)))
