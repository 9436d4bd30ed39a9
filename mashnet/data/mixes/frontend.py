"""From the parts of a mix to the windows of log-mel that the mix networks hear."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from mashnet.audio.spectrogram import LogMel, to_common_level
from mashnet.audio.transposition import MelTransposition
from mashnet.data.parts import Part
from mashnet.errors import ConfigError
from mashnet.files import content_id


class MixFrontend:
    """Parts → log-mel: each part at a common level, summed, transformed.

    Summing one part is what PreMixNet hears; summing all three is PostMixNet's downmix.
    """

    def __init__(self, *, window_s: float = 8.0, **log_mel: Any) -> None:
        """Fix the transform.

        Args:
            window_s: length of the stretch the network judges at once.
            log_mel: the settings of `mashnet.audio.spectrogram.LogMel`.
        """
        self.settings: dict[str, Any] = {"window_s": float(window_s), **log_mel}
        self.log_mel = LogMel(**log_mel).eval()
        self.frames_per_s = self.log_mel.sample_rate / self.log_mel.hop_length
        self.window_frames = round(window_s * self.frames_per_s)
        if self.window_frames < 8:
            raise ConfigError(f"window_s={window_s} is shorter than eight frames")

    @property
    def sample_rate(self) -> int:
        """Hz, of the sound it takes."""
        return self.log_mel.sample_rate

    def describe(self) -> str:
        """Say in one line what goes in."""
        return (
            f"{self.log_mel.sample_rate} Hz mono, {self.log_mel.n_mels} mels, windows of "
            f"{self.settings['window_s']} s averaged over the whole input"
        )

    @property
    def frontend_id(self) -> str:
        """Hash of the settings: features of two frontends are never mixed up."""
        return content_id("mix_frontend", 1, sorted(self.settings.items()))

    def transposition(self, most_semitones: float) -> MelTransposition:
        """Return what transposes the log-mels of the `widened` frontend into this one's."""
        log_mel = self.log_mel
        return MelTransposition(
            sample_rate=log_mel.sample_rate,
            n_mels=log_mel.n_mels,
            f_min_hz=log_mel.f_min_hz,
            f_max_hz=log_mel.f_max_hz,
            most_semitones=most_semitones,
        )

    def widened(self, most_semitones: float) -> MixFrontend:
        """Return this frontend with as many bands more on top as the transposition reads."""
        wide = self.transposition(most_semitones)
        bands = {"n_mels": wide.wide_mels, "f_max_hz": wide.wide_f_max_hz}
        return MixFrontend(**{**self.settings, **bands})

    @torch.inference_mode()
    def log_mel_of(self, parts: Sequence[Part], device: str | torch.device = "cpu") -> torch.Tensor:
        """Return the log-mel of the sum of the parts, shape (frames, mels), on `device`.

        Parts of different lengths are padded with silence to the longest.
        """
        rate = self.log_mel.sample_rate
        waves = [np.ascontiguousarray(part.waveform(rate), dtype=np.float32) for part in parts]
        length = max(wave.shape[-1] for wave in waves)
        stacked = torch.zeros(len(waves), length)
        for row, wave in zip(stacked, waves, strict=True):
            row[: wave.shape[-1]] = torch.from_numpy(wave)
        mixed = to_common_level(stacked.to(device)).sum(0)
        if len(waves) > 1:
            mixed = to_common_level(mixed)
        return self.log_mel.to(device)(mixed)

    def windows_of(self, mel: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Cut a whole log-mel (..., frames, mels) into consecutive windows that cover it.

        Returns:
            Windows (..., windows, window_frames, mels), the last one filled up with silence, and
            the share of each window that is filled, shape (windows,).
        """
        frames = mel.shape[-2]
        count = max(1, (frames + self.window_frames - 1) // self.window_frames)
        padded = torch.nn.functional.pad(mel, (0, 0, 0, count * self.window_frames - frames))
        starts = torch.arange(count, device=mel.device) * self.window_frames
        filled = ((frames - starts) / self.window_frames).clamp(0.0, 1.0)
        return padded.unflatten(-2, (count, self.window_frames)), filled
