"""Integrated loudness (ITU-R BS.1770-4) and loudness range (EBU Tech 3342), block by block.

pyloudnorm's own meter filters the whole sound at once in double precision, which takes several
gigabytes for twenty minutes. The filters here are pyloudnorm's; the power of 100 ms steps is
added up as they pass. Four neighbouring steps are a gating block, thirty a short-term loudness.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from pyloudnorm.iirfilter import IIRfilter
from scipy.signal import sosfilt

STEP_S = 0.1  # gating blocks of 400 ms overlap by three quarters
SILENT_LUFS = -np.inf
_STEPS_PER_BLOCK = 4
_ABSOLUTE_GATE_LUFS = -70.0
_RELATIVE_GATE_LU = -10.0
_OFFSET_LUFS = -0.691
_STEPS_PER_SHORT_TERM = 30  # windows of 3 s, ten a second
_RANGE_GATE_LU = -20.0
_RANGE_PERCENTILES = (10, 95)
_FILTERED_S = 10  # how much is filtered at once


def step_powers(audio: np.ndarray, sample_rate: int) -> np.ndarray:
    """Return the K-weighted power of each whole step of 100 ms, added up over channels.

    Args:
        audio: shape (channels, samples), one or two channels.
        sample_rate: in Hz.

    Returns:
        float64, shape (steps,).
    """
    channels, samples = audio.shape
    step = round(STEP_S * sample_rate)
    sections = _weighting(sample_rate)
    state = np.zeros((len(sections), channels, 2))
    powers = []
    for start in range(0, samples, _FILTERED_S * 10 * step):
        block = audio[:, start : start + _FILTERED_S * 10 * step].astype(np.float64)
        weighted, state = sosfilt(sections, block, axis=1, zi=state)
        whole = weighted[:, : weighted.shape[1] // step * step]
        powers.append(np.square(whole).reshape(channels, -1, step).mean(axis=2).sum(axis=0))
    return np.concatenate(powers) if powers else np.zeros(0)


def integrated_lufs(powers: np.ndarray) -> float:
    """Return the gated loudness of steps in LUFS; minus infinity for silence or under 400 ms.

    Args:
        powers: of `step_powers`, shape (steps,).
    """
    if len(powers) < _STEPS_PER_BLOCK:
        return SILENT_LUFS
    blocks = np.convolve(powers, np.full(_STEPS_PER_BLOCK, 1 / _STEPS_PER_BLOCK), "valid")
    heard = blocks[_lufs(blocks) > _ABSOLUTE_GATE_LUFS]
    if heard.size == 0:
        return SILENT_LUFS
    heard = heard[_lufs(heard) > float(_lufs(heard.mean())) + _RELATIVE_GATE_LU]
    return float(_lufs(heard.mean()))


def loudness_range_lu(powers: np.ndarray) -> float:
    """Return the loudness range of steps in LU (EBU Tech 3342); NaN for silence or under 3 s.

    The distance between the 10th and the 95th percentile of short-term loudnesses, of which those
    20 LU and more below the loudness of all are left out, so that pauses do not count.

    Args:
        powers: of `step_powers`, shape (steps,).
    """
    if len(powers) < _STEPS_PER_SHORT_TERM:
        return float("nan")
    window = np.full(_STEPS_PER_SHORT_TERM, 1 / _STEPS_PER_SHORT_TERM)
    windows = np.convolve(powers, window, "valid")
    heard = windows[_lufs(windows) > _ABSOLUTE_GATE_LUFS]
    if heard.size == 0:
        return float("nan")
    gate_lufs = float(_lufs(heard.mean())) + _RANGE_GATE_LU
    low, high = np.percentile(_lufs(heard)[_lufs(heard) >= gate_lufs], _RANGE_PERCENTILES)
    return float(high - low)


def _lufs(power: np.ndarray) -> np.ndarray:
    return _OFFSET_LUFS + 10 * np.log10(np.maximum(power, 1e-30))


@lru_cache(maxsize=8)
def _weighting(sample_rate: int) -> np.ndarray:
    """Return pyloudnorm's K weighting as second-order sections, (2, 6)."""
    shelf = IIRfilter(4.0, 1 / np.sqrt(2), 1500.0, sample_rate, "high_shelf")
    highpass = IIRfilter(0.0, 0.5, 38.0, sample_rate, "high_pass")
    return np.array([[*f.b, *f.a] for f in (shelf, highpass)], dtype=np.float64)
