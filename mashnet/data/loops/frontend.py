"""From loops to the log-mel that the loop networks hear."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from mashnet.audio.spectrogram import LogMel, to_common_level
from mashnet.data.loops.loops import LOOP_S, TOLERANCE_S
from mashnet.data.parts import Part
from mashnet.errors import AudioError
from mashnet.files import content_id


class LoopFrontend:
    """Loops → log-mel: each at a common level, their mean, transformed.

    The mean of one loop is what the Siamese network hears, that of two (0.5 a + 0.5 b) what the
    CNN hears. Levels are made equal because they differ between songs: a network would find a
    loop of another song by its mastering.
    """

    def __init__(self, **log_mel: Any) -> None:
        """Fix the transform: the settings of `mashnet.audio.spectrogram.LogMel`."""
        self.settings: dict[str, Any] = log_mel
        self.log_mel = LogMel(**log_mel).eval()
        self.samples = round(LOOP_S * self.log_mel.sample_rate)
        self.frames = self.samples // self.log_mel.hop_length + 1

    @property
    def frontend_id(self) -> str:
        """Hash of the settings: features of two frontends are never mixed up."""
        return content_id("loop_frontend", 1, sorted(self.settings.items()))

    @property
    def sample_rate(self) -> int:
        """Hz, of the sound it takes."""
        return self.log_mel.sample_rate

    def describe(self) -> str:
        """Say in one line what goes in."""
        return (
            f"loops of one bar, {LOOP_S:g} s, {self.log_mel.sample_rate} Hz mono, "
            f"{self.log_mel.n_mels} mels × {self.frames} frames"
        )

    def waveform_of(self, part: Part) -> torch.Tensor:
        """Return a loop's samples at the frontend's rate, shape (samples,).

        Raises:
            AudioError: if it is not 2 s long.
        """
        rate = self.log_mel.sample_rate
        wave = torch.from_numpy(np.ascontiguousarray(part.waveform(rate), dtype=np.float32))
        missing = self.samples - len(wave)
        if abs(missing) > TOLERANCE_S * rate:
            raise AudioError(
                f"{getattr(part, 'path', 'a loop')} lasts {len(wave) / rate:.2f} s; a loop is one "
                f"bar of four beats stretched to {LOOP_S:g} s "
                f"(python -m data_pipelines.loops makes such loops from songs)"
            )
        return torch.nn.functional.pad(wave, (0, missing))

    @torch.inference_mode()
    def log_mel_of(self, parts: Sequence[Part], device: str | torch.device = "cpu") -> torch.Tensor:
        """Return the log-mel of the mean of some loops, shape (frames, mels), on `device`."""
        waves = torch.stack([self.waveform_of(part) for part in parts]).to(device)
        return self.log_mel.to(device)(to_common_level(waves).mean(0))
