"""Transposing a log-mel: the same music at another pitch, without a waveform."""

from __future__ import annotations

import torch
from torch import nn

from mashnet.audio.mel_scale import hz_to_mel, mel_to_hz
from mashnet.errors import ConfigError


class MelTransposition(nn.Module):
    """Moves log-mels along the frequency axis, on the device they lie on.

    A stretch engine would take seconds where this takes milliseconds, at the price of a blurred
    spectrum (values between two mel bands are interpolated) and of timbre that moves along with
    the pitch. It reads wider log-mels than it returns: bands above the highest, at the same
    spacing, move into view when the music is transposed down.
    """

    def __init__(
        self,
        *,
        sample_rate: int,
        n_mels: int,
        f_min_hz: float,
        f_max_hz: float,
        most_semitones: float,
    ) -> None:
        """Name the mel scale (Slaney's, as `LogMel` has it) of what is returned.

        Args:
            sample_rate: in Hz, of the sound that the log-mels are made of.
            n_mels: bands of what is returned.
            f_min_hz: lower edge of the lowest band.
            f_max_hz: upper edge of the highest band that is returned.
            most_semitones: the largest transposition.

        Raises:
            ConfigError: if the sound has nothing to move down into the highest band.
        """
        super().__init__()
        self.n_mels = n_mels
        most_hz = f_max_hz * 2 ** (most_semitones / 12)
        if most_hz > sample_rate / 2:
            raise ConfigError(
                f"f_max_hz={f_max_hz:g} leaves no room to transpose down by {most_semitones:g} "
                f"semitones at {sample_rate} Hz: set it to "
                f"{sample_rate / 2 / 2 ** (most_semitones / 12):.0f} at most, or "
                "data.transposed_negatives=false"
            )
        low, high, most = hz_to_mel([f_min_hz, f_max_hz, most_hz])
        step = (high - low) / (n_mels + 1)
        self.wide_mels = n_mels + int(-(-(most - high) // step))
        """Bands of the log-mels that are read; the first `n_mels` are those that are returned."""
        self.wide_f_max_hz = float(mel_to_hz(low + step * (self.wide_mels + 1)))
        """Upper edge of the highest of them."""
        bands = torch.arange(1, self.wide_mels + 1, dtype=torch.float64).numpy()
        centres_hz = torch.from_numpy(mel_to_hz(low + step * bands)).float()
        self.register_buffer("centres_hz", centres_hz, persistent=False)

    def forward(self, log_mel: torch.Tensor, semitones: torch.Tensor) -> torch.Tensor:
        """Return each log-mel transposed, (batch, frames, n_mels).

        Args:
            log_mel: (batch, frames, wide_mels).
            semitones: how far up each goes, (batch,), from -most_semitones to most_semitones.
        """
        centres: torch.Tensor = self.centres_hz  # type: ignore[assignment]
        source_hz = centres[: self.n_mels] / 2 ** (semitones.unsqueeze(-1) / 12)
        above = torch.searchsorted(centres, source_hz).clamp(1, len(centres) - 1)
        below_hz, above_hz = centres[above - 1], centres[above]
        share = ((source_hz - below_hz) / (above_hz - below_hz)).clamp(0.0, 1.0)
        index = above.unsqueeze(1).expand(-1, log_mel.shape[1], -1)
        below, over = log_mel.gather(-1, index - 1), log_mel.gather(-1, index)
        return torch.lerp(below, over, share.unsqueeze(1).to(log_mel.dtype))
