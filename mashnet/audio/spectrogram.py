"""Log-mel spectrograms, computed on whatever device the waveform lies on."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torchaudio
from torch import nn

from mashnet.errors import require_one_of

# Full scale is 0 dB; what lies 80 dB below the loudest is silence to a listener and to the network.
FLOOR_DB = -80.0
WINDOWS = {"hann": torch.hann_window, "hamming": torch.hamming_window}


class LogMel(nn.Module):
    """Mel spectrogram in decibels, mapped linearly from [-80 dB, 0 dB] to [0, 1].

    Zero is silence, so padding with zeros, before or after the transform, adds silence.
    """

    def __init__(
        self,
        *,
        sample_rate: int = 22050,
        n_fft: int = 2048,
        hop_length: int = 512,
        n_mels: int = 128,
        f_min_hz: float = 30.0,
        f_max_hz: float = 11000.0,
        window: str = "hann",
    ) -> None:
        """Fix the transform; all sizes are in samples at `sample_rate`.

        Args:
            sample_rate: Hz.
            n_fft: window length.
            hop_length: between two frames.
            n_mels: bands.
            f_min_hz: lower edge of the lowest band.
            f_max_hz: upper edge of the highest band.
            window: hann or hamming.

        Raises:
            ConfigError: if the window is neither.
        """
        super().__init__()
        self.sample_rate = sample_rate
        self.hop_length = hop_length
        self.n_mels = n_mels
        self.f_min_hz = f_min_hz
        self.f_max_hz = f_max_hz
        with torch.device("cpu"):  # also where a network is only laid out, on "meta"
            self.mel = torchaudio.transforms.MelSpectrogram(
                sample_rate=sample_rate,
                n_fft=n_fft,
                hop_length=hop_length,
                n_mels=n_mels,
                f_min=f_min_hz,
                f_max=f_max_hz,
                power=2.0,
                norm="slaney",
                mel_scale="slaney",
                window_fn=WINDOWS[require_one_of("window", window, WINDOWS)],
            )
        # A full-scale sine gives the window's sum squared over four in its bin; with this
        # reference it reads about 0 dB after the Slaney filter it falls into.
        shape: torch.Tensor = self.mel.spectrogram.window
        self.reference_power = float(shape.sum() ** 2 / 4) * float(self.mel.mel_scale.fb.max())

    def forward(self, waveform: torch.Tensor) -> torch.Tensor:
        """Map waveforms (..., samples) to log-mels (..., samples // hop_length + 1, mels)."""
        power = self.mel(waveform) / self.reference_power
        level_db = 10.0 * torch.log10(power.clamp_min(10.0 ** (FLOOR_DB / 10)))
        return (1.0 - level_db / FLOOR_DB).clamp(0.0, 1.0).transpose(-1, -2)


def log_mel_of_sum(log_mels: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return about what the log-mel of the sum of some signals would be, (..., frames, mels).

    Powers are added, which leaves out how phases meet; the level is brought back to that of one
    signal, as `to_common_level` of the sum would. A downmix that is put together from log-mels
    can be moved role by role while training.
    """
    power = sum(10.0 ** ((log_mel - 1.0) * -FLOOR_DB / 10) for log_mel in log_mels)
    silence = 10.0 ** (FLOOR_DB / 10)
    level_db = 10.0 * torch.log10((torch.as_tensor(power) / len(log_mels)).clamp_min(silence))
    return (1.0 - level_db / FLOOR_DB).clamp(0.0, 1.0)


def to_common_level(waveform: torch.Tensor, target_rms_db: float = -20.0) -> torch.Tensor:
    """Scale (..., samples) so that the root mean square where there is sound is `target_rms_db`.

    Stems of different songs are mastered at different levels; without this a network can tell an
    original by its levels instead of its music. Sound is what lies within 40 dB of the loudest
    tenth of a second (2205 samples at 22.05 kHz); silence is returned as it is.
    """
    block = 2205
    samples = waveform.shape[-1]
    blocks = (samples + block - 1) // block
    padded = nn.functional.pad(waveform, (0, blocks * block - samples))
    power = padded.unflatten(-1, (blocks, block)).square().mean(-1)
    sounding = power > power.amax(-1, keepdim=True).clamp_min(1e-12) * 1e-4
    mean_power = (power * sounding).sum(-1) / sounding.sum(-1).clamp_min(1)
    gain = torch.where(
        mean_power > 1e-10, 10.0 ** (target_rms_db / 20) / mean_power.clamp_min(1e-10).sqrt(), 1.0
    )
    return waveform * gain.unsqueeze(-1)
