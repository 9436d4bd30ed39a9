"""How far music is off A440: its tuning in cents, from spectral peaks.

Conventions: those of `mashnet.music.tunings`. Speech, noise and drums have confidences near 0.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import soxr

from mashnet.music.tunings import Tuning, fold_cents

_RATE_HZ = 11025
_FFT = 8192  # 0.74 s: partials a semitone apart are told apart from 100 Hz on
_HOP = 4096
_LOWEST_HZ, _HIGHEST_HZ = (
    110.0,
    1400.0,
)  # lower peaks are too wide, higher ones are seldom low partials
_LEAST = 0.05  # of the loudest peak of the frame: -26 dB
_SILENT = 1e-4  # of a frame's loudest peak against the recording's: -80 dB
_NEAR_CENTS = 20.0  # peaks this near to the commonest place decide where exactly it is
_CIRCLE = np.arange(-50.0, 50.0, 1.0)
_SMOOTHED_CENTS = 6.0


def estimate_tuning(audio: np.ndarray, sample_rate: int) -> Tuning | None:
    """Estimate the tuning of pitched sound: where most of its partials lie.

    Args:
        audio: shape (channels, samples); without drums.
        sample_rate: in Hz.

    Returns:
        None for silence, and for what is too short to have a pitch.
    """
    return tuning_of_stems([audio], sample_rate)


def tuning_of_stems(stems: Sequence[np.ndarray], sample_rate: int) -> Tuning | None:
    """Estimate the tuning of stems that sound together, each of shape (channels, samples)."""
    mono = np.zeros(max((stem.shape[1] for stem in stems), default=0), np.float32)
    for stem in stems:
        mono[: stem.shape[1]] += stem.mean(axis=0)
    if sample_rate != _RATE_HZ and mono.size:
        mono = soxr.resample(mono, sample_rate, _RATE_HZ)
    if mono.size < _FFT:
        return None
    cents, weights = _peaks(mono)
    total = weights.sum()
    if not total > 0:
        return None
    circle = np.exp(2j * np.pi * cents / 100)
    confidence = float(abs((weights * circle).sum()) / total)
    return Tuning(_commonest(cents, weights), min(1.0, confidence))


def _peaks(mono: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how far each spectral peak is off, in cents, and what it weighs."""
    frames = np.lib.stride_tricks.sliding_window_view(mono, _FFT)[::_HOP]
    window = np.hanning(_FFT).astype(np.float32)
    low, high = (round(hz * _FFT / _RATE_HZ) for hz in (_LOWEST_HZ, _HIGHEST_HZ))
    spectra = np.concatenate(
        [
            np.abs(np.fft.rfft(frames[begin : begin + 64] * window, axis=1))[:, low - 1 : high + 2]
            for begin in range(0, len(frames), 64)
        ]
    )
    before, at, after = spectra[:, :-2], spectra[:, 1:-1], spectra[:, 2:]
    loudest = at.max(axis=1, keepdims=True)
    peaks = (at > before) & (at >= after) & (at > _LEAST * loudest) & (at > _SILENT * loudest.max())
    frame, place = np.nonzero(peaks)
    a, b, c = (np.log(np.maximum(part[frame, place], 1e-12)) for part in (before, at, after))
    bins = low + place + 0.5 * (a - c) / (a - 2 * b + c)
    cents = 1200 * np.log2(bins * _RATE_HZ / _FFT / 440)
    return fold_cents(cents), at[frame, place].astype(np.float64)


def _commonest(cents: np.ndarray, weights: np.ndarray) -> float:
    """Return the place on the circle of a semitone round which most peaks lie, in cents."""
    counts, _ = np.histogram(cents, bins=np.append(_CIRCLE, 50.0), weights=weights)
    kernel = np.exp(-0.5 * (_CIRCLE / _SMOOTHED_CENTS) ** 2)
    smooth = np.fft.irfft(np.fft.rfft(counts) * np.fft.rfft(np.fft.ifftshift(kernel)), n=100)
    centre = float(_CIRCLE[int(smooth.argmax())] + 0.5)
    for _ in range(3):
        apart = fold_cents(cents - centre)
        near = weights * (np.abs(apart) < _NEAR_CENTS)
        centre += float((near * apart).sum() / max(near.sum(), 1e-12))
    return float(fold_cents(np.array(centre)))
