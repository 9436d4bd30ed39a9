"""A look-ahead limiter for true peaks, and the way to a target loudness through it.

True peaks are those of the waveform between samples, found by 4 × oversampling (ITU-R BS.1770-4,
annex 2). The limiter works on the peaks of short steps: it knows all of the sound beforehand, goes
down before a peak and comes back after it, and never lets one pass.

Conventions: peaks and gains are amplitudes (1 is full scale), one per step of `STEP` samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.ndimage import minimum_filter1d
from scipy.signal import firwin, resample_poly

from mashnet.audio.loudness import integrated_lufs, step_powers

STEP = 64  # samples
CEILING_DB = -1.0
TARGET_LUFS = -14.0
_MARGIN_DB = 0.1  # between what the limiter aims at and what is promised
_OVERSAMPLING = 4
_CONTEXT = 2 * STEP  # samples on either side of what is oversampled: longer than the filter
_BLOCK_STEPS = 256  # steps that are oversampled at once, or not at all
_AHEAD_STEPS = 4  # about 6 ms: how long before a peak the gain begins to fall
_RELEASE_S = 0.08  # time in which a reduction falls to 1/e
_MOST_REDUCTION_DB = 12.0  # more is no longer heard as music
_PASSES = 3
_NEAR_LU = 0.2  # a loudness this near to the target is the target
_NEAR_PEAK = 0.6  # a waveform's true peak is less than 1/0.6 (4.4 dB) above its highest sample


@dataclass(frozen=True)
class Mastered:
    """What became of a sound.

    Attributes:
        lufs: its integrated loudness; minus infinity for silence.
        true_peak_db: its true peak, 4 × oversampled, in dBTP.
        reduction_db: the most the limiter took away, positive.
    """

    lufs: float
    true_peak_db: float
    reduction_db: float


def true_peaks(audio: np.ndarray, *, above: float = 0.0) -> np.ndarray:
    """Return the true peak of each step over all channels, shape (ceil(samples / STEP),).

    Args:
        audio: shape (channels, samples).
        above: blocks with no sample above this are not oversampled (their samples' peaks count);
            0 oversamples all that is not silent.
    """
    samples = audio.shape[1]
    peaks = np.zeros(-(-samples // STEP), np.float32)
    for first in range(0, len(peaks), _BLOCK_STEPS):
        start, end = first * STEP, min(samples, (first + _BLOCK_STEPS) * STEP)
        block = audio[:, start:end]
        highest = _step_peaks(block, STEP)
        if highest.max() > above:
            before, after = max(0, start - _CONTEXT), min(samples, end + _CONTEXT)
            finer = resample_poly(
                audio[:, before:after], _OVERSAMPLING, 1, axis=1, window=_interpolation()
            )
            skipped = (start - before) * _OVERSAMPLING
            finer = finer[:, skipped : skipped + (end - start) * _OVERSAMPLING]
            # The filter passes the samples themselves nearly, not quite.
            highest = np.maximum(highest, _step_peaks(finer, STEP * _OVERSAMPLING))
        peaks[first : first + len(highest)] = highest
    return peaks


def _step_peaks(audio: np.ndarray, step: int) -> np.ndarray:
    """Return the highest sample of each step over all channels; the last step may be shorter."""
    missing = -audio.shape[1] % step
    padded = np.pad(audio, ((0, 0), (0, missing))) if missing else audio
    steps = padded.reshape(audio.shape[0], -1, step)
    return np.maximum(steps.max(axis=2), -steps.min(axis=2)).max(axis=0)


@lru_cache(maxsize=1)
def _interpolation() -> np.ndarray:
    """Return the low-pass filter of the oversampling: 20 taps per phase (BS.1770 asks for 12)."""
    half = 10 * _OVERSAMPLING
    return firwin(2 * half + 1, 1 / _OVERSAMPLING, window=("kaiser", 5.0)).astype(np.float32)


def limiting_gains(peaks: np.ndarray, ceiling: float, sample_rate: int) -> np.ndarray:
    """Return the gain of each step that keeps all peaks at or below a ceiling, shape (steps,).

    At each step the gain is at most ceiling / peak, there and at the steps beside it, so that gains
    interpolated between the middles of steps keep to it as well.
    """
    if len(peaks) == 0 or peaks.max() <= ceiling:
        return np.ones(len(peaks))
    reductions = np.maximum(0.0, np.log(np.maximum(peaks / ceiling, 1e-9)))
    # A reduction decays exponentially: in logarithms it is the running maximum of falling lines
    # through log(reduction), which is one accumulation after adding the fall back.
    fall = STEP / (_RELEASE_S * sample_rate) * np.arange(len(peaks))
    decaying = np.maximum.accumulate(np.log(np.maximum(reductions, 1e-12)) + fall) - fall
    gains = np.exp(-np.maximum(reductions, np.exp(decaying)))
    width = 2 * _AHEAD_STEPS + 1
    lowest = minimum_filter1d(gains, width + 2, mode="nearest")
    window = np.hanning(width + 2)[1:-1]
    padded = np.pad(lowest, _AHEAD_STEPS, mode="edge")
    return np.convolve(padded, window / window.sum(), "valid")


def master(
    audio: np.ndarray,
    sample_rate: int,
    *,
    target_lufs: float = TARGET_LUFS,
    ceiling_db: float = CEILING_DB,
) -> Mastered:
    """Bring a sound to a loudness and keep its true peaks below a ceiling, in place.

    The limiter takes loudness away, so that the gain before it is found by iteration, on the peaks
    and powers of steps: the sound itself is changed once. Where the limiter would have to take
    away more than 12 dB, the sound stays softer than asked for.

    Args:
        audio: shape (channels, samples), float32; is changed.
        sample_rate: in Hz.
        target_lufs: integrated loudness.
        ceiling_db: in dBTP.

    Returns:
        Loudness and true peak as measured afterwards.
    """
    ceiling = 10 ** ((ceiling_db - _MARGIN_DB) / 20)
    peaks = true_peaks(audio, above=_NEAR_PEAK * _highest(audio))
    powers = step_powers(audio, sample_rate)
    reduction_db = 0.0
    # The first time nearly gets there; what is predicted from steps is off by tenths of a decibel.
    for _ in range(_PASSES):
        loudness = integrated_lufs(powers)
        too_high = peaks.max(initial=0.0) > 10 ** (ceiling_db / 20)
        if not np.isfinite(loudness) or (abs(target_lufs - loudness) < _NEAR_LU and not too_high):
            break
        most_db = _decibels(ceiling / float(peaks.max())) + _MOST_REDUCTION_DB - reduction_db
        gains = _gains_to(target_lufs, powers, peaks, ceiling, 10 ** (most_db / 20), sample_rate)
        reduction_db -= _decibels(float((gains / gains.max()).min()))
        _apply(audio, gains)
        peaks = true_peaks(audio, above=_NEAR_PEAK * _highest(audio))
        powers = step_powers(audio, sample_rate)
    return Mastered(integrated_lufs(powers), _decibels(float(peaks.max(initial=0))), reduction_db)


def _gains_to(
    target_lufs: float,
    powers: np.ndarray,
    peaks: np.ndarray,
    ceiling: float,
    most: float,
    sample_rate: int,
) -> np.ndarray:
    """Return the gain of each step, limiting included, that comes near to a loudness."""
    gain = min(10 ** ((target_lufs - integrated_lufs(powers)) / 20), most)
    for _ in range(8):
        gains = gain * limiting_gains(peaks * gain, ceiling, sample_rate)
        missing_lu = target_lufs - integrated_lufs(powers * _mean_gains(gains, powers) ** 2)
        if abs(missing_lu) < 0.02 or (missing_lu > 0 and gain >= most):
            break
        gain = min(gain * 10 ** (missing_lu / 20), most)
    return gains


def _mean_gains(gains: np.ndarray, powers: np.ndarray) -> np.ndarray:
    """Return the root mean square of the gains in each step of the loudness, shape (steps,)."""
    edges = np.linspace(0, len(gains), len(powers) + 1).round().astype(int)[:-1]
    counts = np.diff(np.append(edges, len(gains)))
    return np.sqrt(np.add.reduceat(gains**2, edges) / counts)


def _apply(audio: np.ndarray, gains: np.ndarray) -> None:
    """Multiply by gains, interpolated between the middles of steps, block by block."""
    middles = (np.arange(len(gains)) + 0.5) * STEP
    for start in range(0, audio.shape[1], 1 << 18):
        block = audio[:, start : start + (1 << 18)]
        block *= np.interp(start + np.arange(block.shape[1]), middles, gains).astype(np.float32)


def _highest(audio: np.ndarray) -> float:
    """Return the highest sample; unlike abs().max() without a copy of everything."""
    return max(float(audio.max(initial=0.0)), -float(audio.min(initial=0.0)))


def _decibels(amplitude: float) -> float:
    return 20 * float(np.log10(max(amplitude, 1e-9)))
