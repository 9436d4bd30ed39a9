"""Transposing a log-mel: the same music at another pitch, without a waveform."""

from __future__ import annotations

import librosa
import torch
from torch import nn


class MelTransposition(nn.Module):
    """Moves log-mels along the frequency axis, on the device they lie on.

    A stretch engine would take seconds where this takes milliseconds, at the price of a blurred
    spectrum (values between two mel bands are interpolated) and of timbre that moves along with
    the pitch. So training moves every window a little, or the blur would tell what was moved.
    """

    def __init__(self, *, n_mels: int, f_min_hz: float, f_max_hz: float) -> None:
        """Name the mel scale (Slaney's, as `LogMel` has it)."""
        super().__init__()
        edges_hz = librosa.mel_frequencies(n_mels=n_mels + 2, fmin=f_min_hz, fmax=f_max_hz)
        centres_hz = torch.from_numpy(edges_hz[1:-1]).float()
        self.register_buffer("centres_hz", centres_hz, persistent=False)

    def forward(
        self, log_mel: torch.Tensor, semitones: torch.Tensor, top_hz: torch.Tensor
    ) -> torch.Tensor:
        """Return the log-mels (batch, frames, mels), each transposed and cut off at the top.

        Args:
            log_mel: in [0, 1], 0 is silence; (batch, frames, mels).
            semitones: how far up each goes, (batch,).
            top_hz: bands above this are silenced, (batch,). Transposing down leaves nothing to
                fill the top with; cut at random, the top tells nothing either.
        """
        centres: torch.Tensor = self.centres_hz  # type: ignore[assignment]
        source_hz = centres / 2 ** (semitones.unsqueeze(-1) / 12)
        above = torch.searchsorted(centres, source_hz).clamp(1, len(centres) - 1)
        below_hz, above_hz = centres[above - 1], centres[above]
        share = ((source_hz - below_hz) / (above_hz - below_hz)).clamp(0.0, 1.0)
        index = above.unsqueeze(1).expand_as(log_mel)
        moved = torch.lerp(
            log_mel.gather(-1, index - 1), log_mel.gather(-1, index), share.unsqueeze(1)
        )
        return moved * (centres <= top_hz.unsqueeze(-1)).unsqueeze(1)
