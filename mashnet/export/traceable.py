"""The spectrograms of mashnet, rebuilt of operations that ONNX has.

Only what lies between samples and power is replaced; filters, floors and decibels are those of the
spectrograms themselves.
"""

from __future__ import annotations

import copy

import torch
from torch import nn
from torchaudio.transforms import MelSpectrogram

from mashnet.audio.hpss import HarmonicPercussiveMel, sliding_median
from mashnet.audio.spectrogram import LogMel
from mashnet.export.spectrum import PowerSpectrum
from mashnet.models.stems.vit import HOP_SAMPLES, WINDOW_SAMPLES, MelPatches


def traceable_log_mel(log_mel: LogMel) -> LogMel:
    """Return a LogMel with the same settings and values that can be recorded."""
    copied = copy.deepcopy(log_mel)
    copied.mel = _MelPower(log_mel.mel)
    return copied


def traceable_network(network: nn.Module) -> nn.Module:
    """Return a copy of a network in which every spectrogram can be recorded."""
    copied = copy.deepcopy(network).cpu().eval()
    for module in list(copied.modules()):
        for name, child in module.named_children():
            if isinstance(child, MelPatches):
                setattr(module, name, _Patches())
            elif isinstance(child, HarmonicPercussiveMel):
                setattr(module, name, _HarmonicPercussive(child))
    return copied


class _MelPower(nn.Module):
    """torchaudio's MelSpectrogram."""

    basis: torch.Tensor

    def __init__(self, mel: MelSpectrogram) -> None:
        super().__init__()
        spectrogram, basis = mel.spectrogram, mel.mel_scale.fb
        self.power = PowerSpectrum(
            spectrogram.window,
            n_fft=spectrogram.n_fft,
            hop_length=spectrogram.hop_length,
            pad_mode=spectrogram.pad_mode,
            last_bin=int(basis.any(1).nonzero().max()),
        )
        self.register_buffer("basis", self.power.in_own_order(basis), persistent=False)

    def forward(self, waves: torch.Tensor) -> torch.Tensor:
        """Return mel power, (batch, mels, frames)."""
        return (self.power(waves) @ self.basis).transpose(-1, -2)


class _Patches(MelPatches):
    """The patches that transformers hear."""

    def __init__(self) -> None:
        super().__init__()
        self.spectrum = PowerSpectrum(
            self.window, n_fft=WINDOW_SAMPLES, hop_length=HOP_SAMPLES, pad_mode="reflect"
        )
        self.filters = self.spectrum.in_own_order(self.filters)

    def power(self, waves: torch.Tensor) -> torch.Tensor:
        """Return power, (batch, places, frames)."""
        return self.spectrum(waves).transpose(-1, -2)


class _HarmonicPercussive(HarmonicPercussiveMel):
    """Two mel spectrograms, one clip after the other: a median keeps thirty spectra in memory."""

    def __init__(self, made: HarmonicPercussiveMel) -> None:
        nn.Module.__init__(self)
        self.kernel = made.kernel
        self.register_buffer("mel_basis", made.mel_basis, persistent=False)
        self.spectrum = PowerSpectrum(
            torch.hann_window(made.win_length, dtype=torch.float64),
            n_fft=made.n_fft,
            hop_length=made.hop_length,
            pad_mode="constant",
            dtype=torch.float64,
        )

    def power(self, waves: torch.Tensor) -> torch.Tensor:
        """Return mel powers, (batch, 2, n_mels, frames)."""
        from torch._higher_order_ops.scan import scan  # which nothing else needs

        def next_clip(done: torch.Tensor, clip: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return done + 1, self._power(clip[None])[0]

        return scan(next_clip, torch.zeros((), dtype=torch.int64), waves)[1]

    def _median(self, magnitude: torch.Tensor, dim: int) -> torch.Tensor:
        return sliding_median(magnitude, self.kernel, dim, in_blocks=False)

    def _magnitude(self, waves: torch.Tensor) -> torch.Tensor:
        power = self.spectrum(waves).index_select(-1, self.spectrum.order)
        return power.float().sqrt()
