"""Sources of sound: wavetables, plucked strings, frequency modulation, noise.

Conventions: mono float64 arrays of shape (samples,), 44.1 kHz, nominally within ±1.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.signal import butter, sosfilt

SAMPLE_RATE = 44100
_TABLE_SIZE = 4096


def hertz(pitch: float) -> float:
    """Return the frequency of a MIDI pitch."""
    return 440.0 * 2 ** ((pitch - 69) / 12)


def clock_s(num_samples: int) -> np.ndarray:
    """Return the times of samples in seconds, shape (samples,)."""
    return np.arange(num_samples) / SAMPLE_RATE


@lru_cache(maxsize=512)
def wavetable(amplitudes: tuple[float, ...]) -> np.ndarray:
    """Return one period with these amplitudes of the harmonics 1, 2, …, peak 1.

    Phases follow Schroeder (1970), which keeps the peak low for a given loudness. The first
    sample is repeated at the end for interpolation: shape (4097,).
    """
    count = len(amplitudes)
    spectrum = np.zeros(_TABLE_SIZE // 2 + 1, dtype=complex)
    orders = np.arange(1, count + 1)
    spectrum[1 : count + 1] = np.array(amplitudes) * np.exp(-1j * np.pi * orders**2 / count)
    table = np.fft.irfft(spectrum)
    table /= np.abs(table).max()
    return np.append(table, table[0])


def oscillator(table: np.ndarray, frequency_hz: float | np.ndarray, num_samples: int) -> np.ndarray:
    """Read a wavetable at a frequency, fixed or one per sample; returns shape (samples,)."""
    if isinstance(frequency_hz, np.ndarray):
        cycles = np.cumsum(frequency_hz) / SAMPLE_RATE
    else:
        cycles = clock_s(num_samples) * frequency_hz
    position = (cycles % 1.0) * _TABLE_SIZE
    index = position.astype(np.int32)
    fraction = position - index
    return table[index] * (1 - fraction) + table[index + 1] * fraction


def sawtooth_amplitudes(
    frequency_hz: float, *, slope: float, highest_hz: float
) -> tuple[float, ...]:
    """Return harmonics that fall as 1/n**slope up to `highest_hz` (no aliasing above it)."""
    count = max(1, min(64, int(highest_hz / frequency_hz)))
    return tuple(float(n**-slope) for n in range(1, count + 1))


def plucked_string(
    frequency_hz: float,
    num_samples: int,
    rng: np.random.Generator,
    *,
    damping: float,
    brightness_hz: float,
) -> np.ndarray:
    """Pluck a string (Karplus and Strong 1983), whole periods at a time.

    Args:
        frequency_hz: pitch.
        num_samples: length.
        rng: draws the burst of noise that excites the string.
        damping: gain of each round trip, below 1.
        brightness_hz: where the excitation is cut off.

    Returns:
        The tone, shape (samples,). The loop is a whole number of samples plus the half sample of
        its averaging filter, so the result is resampled to the exact pitch.
    """
    period = max(8, int(SAMPLE_RATE / frequency_hz))
    step = (period + 0.5) * frequency_hz / SAMPLE_RATE
    needed = int(num_samples * step) + 2
    rounds = needed // period + 2
    block = lowpass(rng.uniform(-1, 1, 4 * period), brightness_hz)[-period:]
    block -= block.mean()
    block /= np.abs(block).max()
    string = np.empty((rounds, period))
    string[0] = block
    for i in range(1, rounds):
        before = string[i - 2, -1] if i > 1 else 0.0
        shifted = np.concatenate(([before], string[i - 1, :-1]))
        string[i] = damping * 0.5 * (string[i - 1] + shifted)
    flat = string.ravel()
    return np.interp(np.arange(num_samples) * step, np.arange(flat.size), flat)


def modulated(
    frequency_hz: float,
    num_samples: int,
    *,
    ratio: float,
    index: float,
    index_decay_s: float,
) -> np.ndarray:
    """Frequency modulation with one modulator whose index dies away (Chowning 1973)."""
    time_s = clock_s(num_samples)
    phase = 2 * np.pi * frequency_hz * time_s
    return np.sin(phase + index * np.exp(-time_s / index_decay_s) * np.sin(ratio * phase))


def lowpass(audio: np.ndarray, cutoff_hz: float) -> np.ndarray:
    """Second-order Butterworth low-pass."""
    return sosfilt(_butterworth("lowpass", (cutoff_hz,)), audio)


def highpass(audio: np.ndarray, cutoff_hz: float) -> np.ndarray:
    """Second-order Butterworth high-pass."""
    return sosfilt(_butterworth("highpass", (cutoff_hz,)), audio)


def bandpass(audio: np.ndarray, low_hz: float, high_hz: float) -> np.ndarray:
    """Second-order Butterworth band-pass."""
    return sosfilt(_butterworth("bandpass", (low_hz, high_hz)), audio)


@lru_cache(maxsize=64)
def _butterworth(kind: str, edges_hz: tuple[float, ...]) -> np.ndarray:
    edges = edges_hz[0] if len(edges_hz) == 1 else edges_hz
    return butter(2, edges, btype=kind, fs=SAMPLE_RATE, output="sos")
