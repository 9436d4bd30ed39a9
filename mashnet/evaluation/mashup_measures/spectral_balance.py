"""Who is heard in which band: a voice under the music, and the balance of the whole.

Conventions: bands are one ERB wide (equivalent rectangular bandwidth of the ear, Glasberg and
Moore 1990: 24.7 Hz + 0.108 f), from 50 Hz to 15 kHz; those above half the sampling rate are left
out (NaN). Levels are in dB. Frames last about 93 ms and overlap by half.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from scipy.signal.windows import hann

from mashnet.audio.levels import rms_db

LOWEST_HZ, HIGHEST_HZ = 50.0, 15_000.0
AUDIBLE_DB = 40.0  # below its loudest cell a voice is no longer counted as sounding
BURIED_DB = 6.0  # about as far as a tone may lie below noise of its band and be heard
SILENT_DB = -70.0  # dBFS: a layer below is not there
_FRAME_S = 0.093
_FRAMES_AT_ONCE = 256
_FLOOR_DB = -60.0  # of the whole sound; deeper holes in a spectrum are all the same
_LEAST_BANDS = 10  # that two spectra must share


def erb_number(hertz: np.ndarray | float) -> np.ndarray:
    """Return how many ERBs lie below a frequency."""
    return 21.4 * np.log10(1 + 0.00437 * np.asarray(hertz, dtype=np.float64))


def band_edges_hz() -> np.ndarray:
    """Return the edges of the bands, shape (bands + 1,)."""
    first, last = erb_number(LOWEST_HZ), erb_number(HIGHEST_HZ)
    numbers = np.linspace(first, last, round(float(last - first)) + 1)
    return (10 ** (numbers / 21.4) - 1) / 0.00437


def masked_share(voice: np.ndarray, music: np.ndarray, sample_rate: int) -> float:
    """Return how much of a voice is buried under the music, in [0, 1].

    Of all cells (band × frame) in which the voice sounds, the share in which it lies more than
    6 dB below the music. What masks across bands, and over time, is left out.

    Args:
        voice: shape (samples,).
        music: all that sounds beside it, shape (samples,).
        sample_rate: of both, in Hz.

    Returns:
        0 where there is no music; NaN where there is no voice.
    """
    if len(voice) == 0 or rms_db(voice) < SILENT_DB:
        return float("nan")
    samples = min(len(voice), len(music))
    # The loudest cell is not known before the end: only powers of bands are kept.
    own, other = (
        np.concatenate(list(_band_powers(layer[None, :samples], sample_rate)), axis=1)
        for layer in (voice, music)
    )
    sounding = own > own.max() * 10 ** (-AUDIBLE_DB / 10)
    buried = own * 10 ** (BURIED_DB / 10) < other
    return float(buried[sounding].mean())


def long_term_spectrum_db(audio: np.ndarray, sample_rate: int) -> np.ndarray:
    """Return the mean power in each band, relative to that of all bands, (bands,) in dB.

    Args:
        audio: shape (channels, samples).
        sample_rate: in Hz.

    Returns:
        At least -60; NaN in bands above half the sampling rate, and throughout for silence.
    """
    bands = len(band_edges_hz()) - 1
    total, frames = np.zeros(bands), 0
    for powers in _band_powers(audio, sample_rate):
        total += powers.sum(axis=1)
        frames += powers.shape[1]
    if audio.size == 0 or rms_db(audio) < SILENT_DB:
        return np.full(bands, np.nan)
    level = 10 * np.log10(np.maximum(total / total.sum(), 1e-30))
    heard = band_edges_hz()[1:] <= sample_rate / 2
    return np.where(heard, np.maximum(level, _FLOOR_DB), np.nan)


def mean_spectrum_db(spectra: Sequence[np.ndarray]) -> np.ndarray | None:
    """Return the mean of spectra in dB, band by band; None where there is none with a sound."""
    heard = [spectrum for spectrum in spectra if np.isfinite(spectrum).any()]
    if not heard:
        return None
    counts = np.isfinite(heard).sum(axis=0)
    return np.where(counts > 0, np.nansum(heard, axis=0) / np.maximum(counts, 1), np.nan)


def spectral_distance_db(first: np.ndarray, second: np.ndarray) -> float:
    """Return the root mean square difference of two spectra over the bands that both have, in dB.

    A gain on one of them changes nothing. NaN where they share too few bands.
    """
    apart = first - second
    apart = apart[np.isfinite(apart)]
    if len(apart) < _LEAST_BANDS:
        return float("nan")
    return float(np.sqrt(np.mean(np.square(apart))))


def _band_powers(audio: np.ndarray, sample_rate: int) -> Iterator[np.ndarray]:
    """Yield the powers of all bands in the next frames, (bands, frames); channels are averaged."""
    size = 2 ** round(np.log2(_FRAME_S * sample_rate))
    hop = size // 2
    window = hann(size, sym=False).astype(np.float32)
    hertz = np.fft.rfftfreq(size, 1 / sample_rate)
    band = np.searchsorted(band_edges_hz(), hertz, side="right") - 1
    member = np.zeros((len(band_edges_hz()) - 1, len(hertz)))
    inside = (band >= 0) & (band < len(member))
    member[band[inside], np.flatnonzero(inside)] = 1.0
    frames = 1 + max(0, -(-(audio.shape[1] - size) // hop))
    for first in range(0, frames, _FRAMES_AT_ONCE):
        count = min(_FRAMES_AT_ONCE, frames - first)
        block = audio[:, first * hop : (first + count - 1) * hop + size]
        block = np.pad(block, ((0, 0), (0, (count - 1) * hop + size - block.shape[1])))
        cut = np.lib.stride_tricks.sliding_window_view(block, size, axis=1)[:, ::hop]
        power = np.square(np.abs(np.fft.rfft(cut * window, axis=2))).mean(axis=0)
        yield member @ power.T
