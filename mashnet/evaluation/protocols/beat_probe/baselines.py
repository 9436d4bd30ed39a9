"""What beat probes find without an encoder, cut into tokens as a ViT with 16 frames a patch has."""

from __future__ import annotations

import torch

from mashnet.audio.descriptors import SAMPLE_RATE, onset_strength
from mashnet.audio.spectrogram import LogMel
from mashnet.evaluation.protocols.beat_probe.probing import FRAMES_PER_S

TOKEN_S = 0.16


class LogMelTokens:
    """No encoder at all: the log-mel frames of a token's time, one after the other."""

    token_s = TOKEN_S

    def __init__(self) -> None:
        """Fix the spectrogram: 64 mels, a frame each 20 ms."""
        hop = SAMPLE_RATE // FRAMES_PER_S
        self._log_mel = LogMel(
            sample_rate=SAMPLE_RATE,
            n_fft=1024,
            hop_length=hop,
            n_mels=64,
            f_min_hz=40.0,
            f_max_hz=7800.0,
        )

    def tokens(self, waves: torch.Tensor) -> torch.Tensor:
        """Return tokens, (batch, T, 8 · 64)."""
        frames = self._log_mel(waves)[:, :-1]  # the last one begins where the window ends
        return _grouped(frames).flatten(2)


class OnsetTokens:
    """The onset strength of the alignment rule: eight numbers per token."""

    token_s = TOKEN_S

    def tokens(self, waves: torch.Tensor) -> torch.Tensor:
        """Return tokens, (batch, T, 8)."""
        frames = torch.stack([onset_strength(wave.numpy())[:-1] for wave in waves])
        return _grouped(frames)


class DeafTokens:
    """Tokens that say nothing: what the decoder finds where there is nothing to be found."""

    token_s = TOKEN_S

    def tokens(self, waves: torch.Tensor) -> torch.Tensor:
        """Return zeros, (batch, T, 1)."""
        num_tokens = waves.shape[-1] // round(self.token_s * SAMPLE_RATE)
        return torch.zeros(len(waves), num_tokens, 1)


def _grouped(frames: torch.Tensor) -> torch.Tensor:
    """Put the frames (batch, frames, …) of each token's time together: (batch, T, 8, …)."""
    per_token = round(TOKEN_S * FRAMES_PER_S)
    whole = frames.shape[1] // per_token * per_token
    return frames[:, :whole].unflatten(1, (-1, per_token))
