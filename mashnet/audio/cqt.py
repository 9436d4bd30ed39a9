"""Constant-Q transform: spectra whose bands lie in equal musical steps, on any device."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from mashnet.errors import ConfigError

RANGE_DB = 80.0  # what lies further below the loudest band of a sound is silence
FAINTEST = 1e-10  # a magnitude; keeps the logarithm finite


class ConstantQ(nn.Module):
    """Magnitudes of a constant-Q transform (Brown, JASA 1991) in decibels over 80, plus one.

    Each band is a correlation with a Hann-windowed complex tone; windows are as long as the
    tone needs for neighbouring bands to be told apart, so low bands are slow and high ones fast.
    Magnitudes follow librosa's and nnAudio's convention: filters of unit absolute sum, times
    the root of their length. 0 lies at −80 dB; loud music reaches somewhat beyond 1, and all
    that is more than 80 dB below a sound's loudest value is raised to that.

    The correlations are computed block by block in the frequency domain. Only every
    `hop_samples`-th value is wanted, and leaving out the others folds the spectrum: the bands
    of all folds are added in one matrix product, and a short inverse transform gives the
    frames. Results are those of the sums in the time domain, up to rounding.
    """

    spectra: torch.Tensor
    root_lengths: torch.Tensor

    def __init__(
        self,
        *,
        sample_rate: int = 16_000,
        hop_samples: int = 160,
        bins: int = 96,
        bins_per_octave: int = 12,
        f_min_hz: float = 16.35,
    ) -> None:
        """Fix the transform; the defaults are PHALAR's.

        Args:
            sample_rate: Hz.
            hop_samples: between two frames.
            bins: bands.
            bins_per_octave: bands in a doubling of frequency.
            f_min_hz: centre of the lowest band.

        Raises:
            ConfigError: if the highest band lies above half the sample rate.
        """
        super().__init__()
        self.sample_rate = sample_rate
        self.hop_samples = hop_samples
        self.bins = bins
        centres_hz = f_min_hz * 2.0 ** (np.arange(bins) / bins_per_octave)
        if centres_hz[-1] > sample_rate / 2:
            raise ConfigError(
                f"a constant-Q transform of {bins} bands from {f_min_hz:g} Hz ends at "
                f"{centres_hz[-1]:.0f} Hz, above half of {sample_rate} Hz; take fewer bins"
            )
        quality = 1.0 / (2.0 ** (1.0 / bins_per_octave) - 1.0)
        lengths = np.ceil(quality * sample_rate / centres_hz).astype(int)
        self.half_samples = (int(lengths.max()) + 1) // 2
        filter_samples = 2 * self.half_samples
        # Blocks of about twice the longest filter: half of each is of use, and the fast
        # transforms like powers of two.
        self.block_hops = 2 ** math.ceil(math.log2(2 * filter_samples / hop_samples))
        self.block_samples = self.block_hops * hop_samples
        self.block_frames = (self.block_samples - filter_samples) // hop_samples + 1

        filters = np.zeros((bins, self.block_samples), dtype=np.complex128)
        for band, (length, centre_hz) in enumerate(zip(lengths, centres_hz, strict=True)):
            time = np.arange(length) - (length + 1) // 2  # samples from the frame's centre
            window = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(length) / length)
            tone = np.exp(2j * np.pi * centre_hz / sample_rate * time)
            filters[band, time + self.half_samples] = window * tone / window.sum()
        folds = np.fft.fft(filters).conj().reshape(bins, hop_samples, self.block_hops)
        spectra = torch.from_numpy(folds.transpose(2, 1, 0).copy()).to(torch.complex64)
        self.register_buffer("spectra", spectra, persistent=False)
        root_lengths = torch.from_numpy(np.sqrt(lengths)).float()
        self.register_buffer("root_lengths", root_lengths, persistent=False)

    def magnitude(self, waves: torch.Tensor) -> torch.Tensor:
        """Map waves (batch, samples) to magnitudes (batch, bins, samples // hop_samples + 1).

        Frame i is centred on sample i * hop_samples; beyond its ends a wave is mirrored.
        """
        frames = waves.shape[-1] // self.hop_samples + 1
        blocks = -(-frames // self.block_frames)
        step = self.block_frames * self.hop_samples
        padded = _mirrored(waves.float(), self.half_samples)
        missing = (blocks - 1) * step + self.block_samples - padded.shape[-1]
        # A negative pad cuts off the samples behind the last block, which no frame needs.
        windows = functional.pad(padded, (0, missing)).unfold(-1, self.block_samples, step)
        spectra = torch.fft.fft(windows.flatten(0, 1))
        folds = spectra.unflatten(-1, (self.hop_samples, self.block_hops)).permute(2, 0, 1)
        bands = torch.fft.ifft(folds @ self.spectra, dim=0)[: self.block_frames]
        found = (bands.abs() / self.hop_samples * self.root_lengths).permute(1, 2, 0)
        found = found.unflatten(0, (-1, blocks)).transpose(1, 2)  # (batch, bins, blocks, frames)
        return found.flatten(2)[..., :frames]

    def forward(self, waves: torch.Tensor) -> torch.Tensor:
        """Map waves (batch, samples) to levels (batch, bins, samples // hop_samples + 1).

        A wave's levels do not depend on what else is in the batch.
        """
        level_db = 20.0 * torch.log10(self.magnitude(waves).clamp_min(FAINTEST))
        floor_db = level_db.amax((-2, -1), keepdim=True) - RANGE_DB
        return torch.maximum(level_db, floor_db) / RANGE_DB + 1.0


def _mirrored(waves: torch.Tensor, reach: int) -> torch.Tensor:
    """Continue (batch, samples) by `reach` samples on both sides, mirrored as far as it goes."""
    mirrored = min(reach, waves.shape[-1] - 1)
    waves = functional.pad(waves, (mirrored, mirrored), mode="reflect")
    return functional.pad(waves, (reach - mirrored, reach - mirrored))
