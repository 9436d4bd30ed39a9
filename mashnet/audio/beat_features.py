"""Sound in beat time: onsets, pitches, level and brightness at fixed moments of every beat.

Two phrases of different songs can be compared as they lie: the beat grid has taken the tempo away,
and reading pitches relative to key and tuning takes the key away. Conventions: a signal is mono
at `SAMPLE_RATE`; frames are centred on multiples of their hop; what is read of a stretch of time is
the mean over it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
import torchaudio
from torch import nn
from torch.nn import functional

from mashnet.audio.mel_scale import htk_frequencies

FEATURES_VERSION = 1  # raise it when the numbers change: what lies on disk is then made anew
SAMPLE_RATE = 16_000  # Hz
MOMENTS = 12  # of a beat at which onsets are read: sixteenths and triplets fall on them
BANDS = 3  # of onsets, as AutoMashUpper has them
PITCH_MOMENTS = 2  # of a beat at which pitches are read
OCTAVES = 5
STEPS = 2  # pitches of a semitone: what is off the grid is heard to be
PITCHES = 12 * OCTAVES * STEPS
LOWEST_HZ = 65.406  # C2
_BAND_EDGES_HZ = (220.0, 1760.0)
_ONSET_FFT, _ONSET_HOP = 1024, 160  # 100 frames per second
_PITCH_FFT, _PITCH_HOP = 4096, 800  # 20 frames per second
_MELS = 64
_LOUD_RMS = 0.1  # to which the loudest second in ten is brought, so that logarithms agree
_SILENT_RMS = 1e-4


@dataclass(frozen=True)
class BeatFeatures:
    """Some bars of sound.

    Attributes:
        onsets: strength in each band, (..., bars, beats, MOMENTS, BANDS).
        pitches: log10(1 + magnitude) in steps of half a semitone from C2 on, relative to the
            music's tuning, (..., bars, beats, PITCH_MOMENTS, PITCHES).
        level: log10 of the root mean square over the loud level, at least -3, (..., bars, beats).
        brightness: centre of gravity of the mel bands, 0…1, (..., bars, beats).
    """

    onsets: torch.Tensor
    pitches: torch.Tensor
    level: torch.Tensor
    brightness: torch.Tensor

    def __getitem__(self, index: object) -> BeatFeatures:
        """Index all alike."""
        return BeatFeatures(*(getattr(self, f.name)[index] for f in fields(self)))

    def to(self, device: torch.device | str) -> BeatFeatures:
        """Return them on a device, as float32."""
        return BeatFeatures(*(getattr(self, f.name).to(device).float() for f in fields(self)))


class BeatFrontend(nn.Module):
    """Signals and the times of their beats → BeatFeatures; nothing is learned."""

    def __init__(self) -> None:
        """Make the transforms; there is nothing to set."""
        super().__init__()
        with torch.device("cpu"):  # also where a network is only laid out, on "meta"
            self.mel = torchaudio.transforms.MelSpectrogram(
                SAMPLE_RATE,
                n_fft=_ONSET_FFT,
                hop_length=_ONSET_HOP,
                f_min=40.0,
                f_max=7800.0,
                n_mels=_MELS,
                pad_mode="constant",
            )
            centres_hz = htk_frequencies(_MELS + 2, 40.0, 7800.0)[1:-1]
            band = torch.from_numpy(np.searchsorted(_BAND_EDGES_HZ, centres_hz))
            member = functional.one_hot(band, BANDS).T.float()
            self.register_buffer("bands", member / member.sum(1, keepdim=True), persistent=False)
            self.register_buffer("window", torch.hann_window(_PITCH_FFT), persistent=False)

    bands: torch.Tensor
    window: torch.Tensor

    def forward(
        self, pitched: torch.Tensor, everything: torch.Tensor, times_s: np.ndarray, cents: float
    ) -> BeatFeatures:
        """Read signals that sound together.

        Args:
            pitched: whose pitches are read, (n, samples); without drums.
            everything: whose onsets, level and brightness are read, (n, samples).
            times_s: of every beat and of each bar's end, (bars, beats + 1); NaN in bars that are
                not whole, which come out as zeros.
            cents: tuning of the music above A440.

        Returns:
            (n, bars, …) of each, float32.
        """
        short = _ONSET_FFT - everything.shape[-1]
        if short > 0:  # shorter than a window: silence behind it changes nothing
            pitched, everything = (functional.pad(x, (0, short)) for x in (pitched, everything))
        whole = np.isfinite(times_s).all(axis=1)
        times = torch.from_numpy(np.where(whole[:, None], times_s, 0.0)).to(everything.device)
        mel = self.mel(_levelled(everything))
        onsets = _means(self.bands @ _rise(mel), _moments(times, MOMENTS, 0.5), 100.0)
        rms = everything.square().unfold(-1, _ONSET_HOP, _ONSET_HOP).mean(-1)[:, None]
        loud = _loud_rms(everything)[:, None, None]
        power = _means(rms, _moments(times, 1, 0.0), 100.0, centred=False)[..., 0, 0]
        level = 0.5 * torch.log10((power / loud.square()).clamp_min(1e-6))
        weights = torch.linspace(0, 1, _MELS, device=mel.device)
        log_mel = torch.log10(1 + 1e3 * mel)
        sums = torch.stack([(weights[:, None] * log_mel).sum(1), log_mel.sum(1)], 1)
        parts = _means(sums, _moments(times, 1, 0.0), 100.0)[..., 0, :]
        brightness = parts[..., 0] / parts[..., 1].clamp_min(1e-3)
        spectrum = torch.stft(
            _levelled(pitched),
            _PITCH_FFT,
            hop_length=_PITCH_HOP,
            window=self.window,
            pad_mode="constant",
            return_complex=True,
        ).abs()
        steps = torch.log10(1 + _filterbank(cents).to(spectrum.device) @ spectrum)
        pitches = _means(steps, _moments(times, PITCH_MOMENTS, 0.0), 20.0)
        mask = torch.from_numpy(whole).float().to(mel.device)[None, :, None]
        wide = mask[..., None, None]
        return BeatFeatures(onsets * wide, pitches * wide, level * mask, brightness * mask)


def _loud_rms(signals: torch.Tensor) -> torch.Tensor:
    """Return the root mean square of the loudest tenth of the seconds, (n,)."""
    length = min(SAMPLE_RATE, signals.shape[-1])
    seconds = signals.unfold(-1, length, max(1, length // 2))
    return torch.quantile(seconds.square().mean(-1).sqrt(), 0.9, dim=-1).clamp_min(_SILENT_RMS)


def _levelled(signals: torch.Tensor) -> torch.Tensor:
    return signals * (_LOUD_RMS / _loud_rms(signals))[:, None]


def _rise(mel: torch.Tensor) -> torch.Tensor:
    level = torch.log10(mel + 1e-3)
    # Nothing rises before the first frame.
    return functional.pad((level[..., 1:] - level[..., :-1]).clamp(min=0), (1, 0))


def _moments(times: torch.Tensor, count: int, early: float) -> torch.Tensor:
    """Return the edges of equal parts of each beat, (bars, beats, count + 1).

    Args:
        times: (bars, beats + 1).
        count: parts of a beat.
        early: by what share of a part they begin early: 0.5 puts the first round the beat.
    """
    shares = (torch.arange(count + 1, device=times.device) - early) / count
    lengths = times[:, 1:] - times[:, :-1]
    return times[:, :-1, None] + lengths[..., None] * shares


def _means(
    frames: torch.Tensor, edges_s: torch.Tensor, rate: float, *, centred: bool = True
) -> torch.Tensor:
    """Average frames over stretches of time.

    Args:
        frames: (n, features, frames).
        edges_s: (bars, beats, parts + 1).
        rate: frames per second.
        centred: whether frame i lies round i / rate, or begins there.

    Returns:
        (n, bars, beats, parts, features).
    """
    sums = functional.pad(frames.double().cumsum(-1), (1, 0))
    last = frames.shape[-1]
    place = (edges_s * rate + (0.5 if centred else 0.0)).clamp(0, last)
    below = place.floor().long().clamp_max(last - 1) if last else place.long()
    share = place - below
    flat = below.flatten()
    at = sums[..., flat] * (1 - share.flatten()) + sums[..., flat + 1] * share.flatten()
    at = at.unflatten(-1, edges_s.shape)
    spans = (place[..., 1:] - place[..., :-1]).clamp_min(1e-9)
    means = (at[..., 1:] - at[..., :-1]) / spans
    return means.permute(0, 2, 3, 4, 1).float()


def _filterbank(cents: float) -> torch.Tensor:
    """Return triangles half a semitone apart, (PITCHES, bins), of unit sum."""
    centres_hz = LOWEST_HZ * 2 ** (cents / 1200 + np.arange(-1, PITCHES + 1) / (12 * STEPS))
    hertz = np.fft.rfftfreq(_PITCH_FFT, 1 / SAMPLE_RATE)
    width_hz = SAMPLE_RATE / _PITCH_FFT  # no narrower than the bins
    left = np.minimum(centres_hz[:-2], centres_hz[1:-1] - width_hz)
    right = np.maximum(centres_hz[2:], centres_hz[1:-1] + width_hz)
    centre = centres_hz[1:-1]
    rising = (hertz - left[:, None]) / (centre - left)[:, None]
    falling = (right[:, None] - hertz) / (right - centre)[:, None]
    filters = np.clip(np.minimum(rising, falling), 0, None)
    return torch.from_numpy(filters / filters.sum(1, keepdims=True)).float()
