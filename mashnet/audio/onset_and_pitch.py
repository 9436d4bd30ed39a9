"""Onsets per mel band and levels per semitone of many waves at once, on the device they lie on.

The same numbers as `mashnet.audio.descriptors`, before that sums them up: the mean of the bands
is its onset strength, the sum over octaves its chromagram.
"""

from __future__ import annotations

import numpy as np
import torch
import torchaudio
from torch import nn

from mashnet.audio.descriptors import CHROMA_HOP, ONSET_HOP, SAMPLE_RATE

NUM_BANDS = 64
OCTAVES = 7  # C1 to B7; only 60 to 3000 Hz is heard
EDGE_FRAMES = 3  # whose windows, or those before, reach beyond the beginning
_FFT = 4096
_LOWEST_MIDI = 24  # C1


class OnsetAndPitch(nn.Module):
    """Waves at 16 kHz → onsets (batch, bands, frames) and pitches (batch, semitones, frames).

    Onsets come 50 times a second, pitches 10 times; frame i is centred on i × hop.
    """

    pitch_of_bin: torch.Tensor
    window: torch.Tensor

    def __init__(self) -> None:
        """Make the transforms; there is nothing to set and nothing to learn."""
        super().__init__()
        with torch.device("cpu"):  # also where a network is only laid out, on "meta"
            self._make()

    def _make(self) -> None:
        self.mel = torchaudio.transforms.MelSpectrogram(
            SAMPLE_RATE,
            n_fft=1024,
            hop_length=ONSET_HOP,
            f_min=40.0,
            f_max=7800.0,
            n_mels=NUM_BANDS,
            pad_mode="constant",
        )
        hertz = np.fft.rfftfreq(_FFT, 1 / SAMPLE_RATE)
        bins = np.flatnonzero((hertz >= 60) & (hertz <= 3000))
        rows = np.round(12 * np.log2(hertz[bins] / 440) + 69).astype(int) - _LOWEST_MIDI
        matrix = torch.zeros(12 * OCTAVES, len(hertz))
        matrix[torch.from_numpy(rows), torch.from_numpy(bins)] = 1.0
        # Neither is learned, and both follow from the constants: not worth a place in a bundle.
        self.register_buffer("pitch_of_bin", matrix, persistent=False)
        self.register_buffer("window", torch.hann_window(_FFT), persistent=False)

    def forward(self, waves: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Map (batch, samples) to onsets (batch, 64, frames) and pitches (batch, 84, frames)."""
        level = torch.log10(self.mel(waves) + 1e-3)
        rise = (level[..., 1:] - level[..., :-1]).clamp(min=0)
        onsets = nn.functional.pad(rise[..., EDGE_FRAMES - 1 :], (EDGE_FRAMES, 0))
        spectrum = torch.stft(
            waves,
            _FFT,
            hop_length=CHROMA_HOP,
            window=self.window,
            pad_mode="constant",
            return_complex=True,
        )
        return onsets, self.pitch_of_bin @ spectrum.abs()
