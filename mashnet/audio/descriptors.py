"""Onsets and pitch classes of a signal, computed by rule.

Conventions: a signal is mono float32 at `SAMPLE_RATE`; frames are centred on multiples of the hop,
so that frame i of every descriptor lies at i × hop.
"""

from __future__ import annotations

import functools

import numpy as np
import torch
import torchaudio

from mashnet.audio.mel_scale import htk_frequencies

SAMPLE_RATE = 16_000  # Hz
ONSET_HOP = 320  # samples: 50 frames per second
CHROMA_HOP = 1600  # samples: 10 frames per second
ONSET_RATE = SAMPLE_RATE / ONSET_HOP
CHROMA_RATE = SAMPLE_RATE / CHROMA_HOP
BAND_EDGES_HZ = (220.0, 1760.0)
LAGS_S = (0.2, 2.5)  # periods that can be a beat or its near relatives

_CHROMA_FFT = 4096
_AROUND = 41  # bins: 160 Hz


def onset_strength(samples: np.ndarray) -> torch.Tensor:
    """Return how much louder the spectrum gets at each frame, shape (frames,), 50 per second.

    The mean over 64 mel bands (40–7800 Hz) of the positive part of the first difference of
    log10(power + 1e-3).
    """
    return _rise(_mel()(_signal(samples))).mean(dim=0)


def onsets_and_power_in_bands(samples: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """Return onset strengths and mean power in three bands, each (3, frames), 50 per second.

    The bands meet at 220 and 1760 Hz (AutoMashUpper's low, middle and high).
    """
    mel = _mel()(_signal(samples))
    centres_hz = htk_frequencies(66, 40.0, 7800.0)[1:-1]
    band = torch.from_numpy(np.searchsorted(BAND_EDGES_HZ, centres_hz))
    member = torch.nn.functional.one_hot(band, len(BAND_EDGES_HZ) + 1).T.float()
    member = member / member.sum(dim=1, keepdim=True)
    return member @ _rise(mel), member @ mel


def _rise(mel: torch.Tensor) -> torch.Tensor:
    level = torch.log10(mel + 1e-3)
    # Nothing rises before the first frame.
    return torch.nn.functional.pad((level[:, 1:] - level[:, :-1]).clamp(min=0), (1, 0))


def onset_autocorrelation(onsets: torch.Tensor) -> torch.Tensor:
    """Return the autocorrelation of onset strengths at lags of 0.2–2.5 s, shape (..., lags).

    Args:
        onsets: shape (..., frames), 50 per second; silence beyond either end is assumed.
    """
    frames = onsets.shape[-1]
    first, last = (round(lag * ONSET_RATE) for lag in LAGS_S)
    spectrum = torch.fft.rfft(onsets, n=2 * max(frames, last + 1))
    products = torch.fft.irfft(spectrum.abs().square(), n=2 * max(frames, last + 1))
    return products[..., first : last + 1]


def chromagram(samples: np.ndarray) -> torch.Tensor:
    """Return the magnitude in each pitch class, shape (12, frames), 10 per second, C first.

    A 4096-point STFT; each bin between 60 and 3000 Hz counts for the pitch class nearest to it.
    """
    return _pitch_class_of_bins() @ _magnitudes(samples)


def chromagram_of_peaks(samples: np.ndarray, tuning_cents: float = 0.0) -> torch.Tensor:
    """Return by how much each pitch class stands out, shape (12, frames), 10 per second, C first.

    As `chromagram`, of what of each bin's magnitude exceeds the mean over 160 Hz around it: breath,
    cymbals and reverberation have no peaks, and count for nothing.

    Args:
        samples: shape (samples,).
        tuning_cents: of the music, above A = 440 Hz: its pitch classes lie there.
    """
    magnitudes = _magnitudes(samples)
    around = torch.nn.functional.avg_pool1d(
        magnitudes.T[:, None], _AROUND, stride=1, padding=_AROUND // 2, count_include_pad=False
    )
    peaks = (magnitudes - around[:, 0].T).clamp_min(0)
    return _pitch_class_of_bins(round(tuning_cents)) @ peaks


def _magnitudes(samples: np.ndarray) -> torch.Tensor:
    spectrum = torch.stft(
        _signal(samples),
        _CHROMA_FFT,
        hop_length=CHROMA_HOP,
        window=torch.hann_window(_CHROMA_FFT),
        pad_mode="constant",
        return_complex=True,
    )
    return spectrum.abs()


def _signal(samples: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(samples, dtype=np.float32))


@functools.cache
def _mel() -> torchaudio.transforms.MelSpectrogram:
    return torchaudio.transforms.MelSpectrogram(
        SAMPLE_RATE,
        n_fft=1024,
        hop_length=ONSET_HOP,
        f_min=40.0,
        f_max=7800.0,
        n_mels=64,
        pad_mode="constant",
    )


@functools.cache
def _pitch_class_of_bins(tuning_cents: int = 0) -> torch.Tensor:
    hertz = np.fft.rfftfreq(_CHROMA_FFT, 1 / SAMPLE_RATE)
    bins = np.flatnonzero((hertz >= 60) & (hertz <= 3000))
    pitches = 12 * np.log2(hertz[bins] / 440) + 9 - tuning_cents / 100  # A is 9
    classes = np.round(pitches).astype(int) % 12
    matrix = torch.zeros(12, len(hertz))
    matrix[torch.from_numpy(classes), torch.from_numpy(bins)] = 1.0
    return matrix
