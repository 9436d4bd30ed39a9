"""What a stem sounds like, in a dozen numbers: strokes or tones, high or low, one pitch or none.

Conventions: sound is mono float32; a magnitude spectrogram has shape (bins, frames). No number
depends on the level, and none is larger than about ten.
"""

from __future__ import annotations

import numpy as np

from mashnet.audio.numba_imports import compiling_alone

with compiling_alone():
    import librosa.core.spectrum
    import librosa.decompose
    import librosa.util.utils

SAMPLE_RATE_HZ = 22_050  # what `timbre_of` expects
LOW_HZ = 250.0
FEATURES = (
    *("percussive", "low", "high", "centre", "noise", "onsets", "attack", "pitched", "pitch"),
    *("pitch_range", "glide", "rests"),
)
_N_FFT, _HOP = 2048, 512
_HIGH_HZ = 4000.0
_BLOCK_S = 5.0
_MOST_BLOCKS = 4  # so many seconds of a stem tell what it is; more would cost a song its time
_PITCH_HZ = (40.0, 1000.0)
_PITCHED_FROM = 0.6  # height of the autocorrelation's peak
_LOUD_DB = 30.0  # frames within so much of the loudest count


def percussive_share(magnitude: np.ndarray) -> float:
    """Return how much of a spectrogram lies in upright strokes, in [0, 1]; silence has none.

    By median filtering (Fitzgerald, DAFx 2010).
    """
    total = float(magnitude.sum())
    if total == 0:
        return 0.0
    _, percussive = librosa.decompose.hpss(magnitude)
    return float(percussive.sum() / total)


def low_share(magnitude: np.ndarray, sample_rate: int) -> float:
    """Return how much of a spectrogram lies below 250 Hz, in [0, 1]; silence has nothing there.

    Args:
        magnitude: from 0 Hz to half the sample rate.
        sample_rate: in Hz.
    """
    total = float(magnitude.sum())
    low = np.linspace(0.0, sample_rate / 2, magnitude.shape[0]) < LOW_HZ
    return float(magnitude[low].sum() / total) if total else 0.0


def timbre_of(samples: np.ndarray) -> np.ndarray:
    """Return the numbers of `FEATURES` for a stem, shape (features,); all 0 for silence.

    At most twenty seconds are heard: blocks of five, evenly spread over those that sound.

    - percussive, low, high: shares of the magnitude in strokes, below 250 Hz, above 4 kHz
    - centre: mean frequency, in octaves above 440 Hz
    - noise: log10 of the spectral flatness
    - onsets: per second; attack: how much of all rises happens in the steepest twentieth of frames
    - pitched: mean height of the autocorrelation's peak, in [0, 1]
    - pitch, pitch_range: median and quartile distance of the pitch, in octaves (0 = 440 Hz)
    - glide: how far the pitch moves from frame to frame while it is held, in semitones
    - rests: share of frames that are 30 dB below the loudest

    Args:
        samples: mono at `SAMPLE_RATE_HZ`, shape (samples,).
    """
    found = [_of_block(block) for block in _blocks(samples)]
    return np.mean(found, axis=0) if found else np.zeros(len(FEATURES))


def _blocks(samples: np.ndarray) -> list[np.ndarray]:
    """Return the blocks that are heard, each at full scale."""
    length = round(_BLOCK_S * SAMPLE_RATE_HZ)
    whole = max(1, len(samples) // length)
    blocks = [samples[i * length : (i + 1) * length] for i in range(whole)]
    levels = np.array([np.sqrt(np.mean(np.square(b, dtype=np.float64))) for b in blocks])
    sounding = np.flatnonzero((levels > 0) & (levels >= 0.1 * levels.max()))
    chosen = np.linspace(0, len(sounding) - 1, min(_MOST_BLOCKS, len(sounding)))
    return [blocks[i] / np.abs(blocks[i]).max() for i in sounding[np.round(chosen).astype(int)]]


def _of_block(block: np.ndarray) -> list[float]:
    magnitude = np.abs(librosa.core.spectrum.stft(block, n_fft=_N_FFT, hop_length=_HOP))
    hz = np.linspace(0.0, SAMPLE_RATE_HZ / 2, magnitude.shape[0])
    total = magnitude.sum()
    per_bin = magnitude.sum(axis=1)
    power = magnitude[5:750] ** 2 + 1e-9  # 50 Hz to 8 kHz
    energy = power.sum(axis=0)
    loud = energy > energy.max() * 10 ** (-_LOUD_DB / 10)
    flatness = np.log10(np.exp(np.log(power).mean(axis=0)) / power.mean(axis=0))
    rises = np.diff(np.log1p(magnitude), axis=1).clip(min=0).mean(axis=0)
    peaks = (rises[1:-1] > rises[:-2]) & (rises[1:-1] >= rises[2:])
    peaks &= rises[1:-1] > 2 * rises.mean() + 1e-4
    steepest = np.sort(rises)[-max(1, len(rises) // 20) :]
    heights, pitches = _pitches(block)
    frames = min(len(heights), len(loud))
    heights, pitches = heights[:frames][loud[:frames]], pitches[:frames][loud[:frames]]
    held = heights > _PITCHED_FROM
    tones = pitches[held]
    steps = np.abs(np.diff(pitches))[held[1:] & held[:-1]] * 12
    steps = steps[steps < 1]
    quartiles = np.percentile(tones, (25, 50, 75)) if tones.size else np.zeros(3)
    return [
        percussive_share(magnitude),
        low_share(magnitude, SAMPLE_RATE_HZ),
        float(per_bin[hz > _HIGH_HZ].sum() / total),
        float((np.log2(hz[2:] / 440) * per_bin[2:]).sum() / per_bin[2:].sum()),
        float(np.average(flatness[loud], weights=np.sqrt(energy[loud]))),
        float(peaks.sum() / (len(block) / SAMPLE_RATE_HZ)),
        float(steepest.sum() / max(rises.sum(), 1e-9)),
        float(heights.mean()) if heights.size else 0.0,
        float(quartiles[1]),
        float(quartiles[2] - quartiles[0]),
        float(steps.mean()) if steps.size else 0.0,
        float(1 - loud.mean()),
    ]


def _pitches(block: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return height of the autocorrelation's peak and pitch (octaves above 440 Hz) per frame."""
    padded = np.pad(block, _N_FFT // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _N_FFT)[::_HOP]
    window = np.hanning(_N_FFT)
    shortest, longest = (round(SAMPLE_RATE_HZ / hz) for hz in reversed(_PITCH_HZ))
    correlation = _autocorrelation(frames * window)[:, : longest + 2]
    correlation /= np.maximum(correlation[:, :1], 1e-9)
    correlation /= _autocorrelation(window[None])[0, : longest + 2] / np.sum(window**2)
    inside = correlation[:, shortest : longest + 1]
    peak = (inside >= correlation[:, shortest - 1 : longest]) & (
        inside >= correlation[:, shortest + 1 : longest + 2]
    )
    inside = np.where(peak, inside, 0.0)
    heights = inside.max(axis=1)
    # The shortest of the periods that are nearly as good: longer ones are its multiples.
    lags = shortest + np.argmax(inside >= 0.9 * heights[:, None], axis=1)
    rows = np.arange(len(lags))
    before, at, after = (correlation[rows, lags + step] for step in (-1, 0, 1))
    bend = before - 2 * at + after
    safe = np.where(np.abs(bend) > 1e-9, bend, -1.0)
    offset = np.where(np.abs(bend) > 1e-9, 0.5 * (before - after) / safe, 0.0)
    periods = lags + np.clip(offset, -0.5, 0.5)
    return np.clip(heights, 0.0, 1.0), np.log2(SAMPLE_RATE_HZ / periods / 440)


def _autocorrelation(frames: np.ndarray) -> np.ndarray:
    spectrum = np.fft.rfft(frames, 2 * frames.shape[1], axis=1)
    return np.fft.irfft(np.abs(spectrum) ** 2, axis=1)
