"""From a group of stems to the windows of sound that the networks of the stems view hear."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from mashnet.data.parts import Group
from mashnet.errors import ConfigError
from mashnet.files import content_id

SILENCE_RMS = 1e-3  # −60 dB of full scale


def is_silent(samples: torch.Tensor) -> torch.Tensor:
    """Return whether waveforms (..., samples) are quieter than −60 dB, shape (...)."""
    return samples.square().mean(-1).sqrt() < SILENCE_RMS


class StemFrontend:
    """Stems → windows of waveform; spectrograms are the networks' own business.

    Windows lie on a grid that begins at 0 s, so that the windows of a context and of a target,
    cut apart, still belong together.
    """

    def __init__(self, *, sample_rate: int = 16_000, window_s: float = 8.0) -> None:
        """Fix the cut.

        Args:
            sample_rate: Hz.
            window_s: length of the stretch that a network hears at once, in seconds.

        Raises:
            ConfigError: if windows are shorter than a second.
        """
        if window_s < 1:
            raise ConfigError(f"frontend.window_s={window_s}: a window lasts at least one second")
        self.settings: dict[str, Any] = {"sample_rate": sample_rate, "window_s": float(window_s)}
        self.sample_rate = sample_rate
        self.window_samples = round(window_s * sample_rate)

    @property
    def frontend_id(self) -> str:
        """Hash of the settings: embeddings of two frontends are never mixed up."""
        return content_id("stem_frontend", 1, sorted(self.settings.items()))

    def describe(self) -> str:
        """Say in one line what goes in."""
        return (
            f"{self.sample_rate} Hz mono, windows of {self.settings['window_s']:g} s that cover "
            "the whole input"
        )

    def wave_of(self, group: Group) -> torch.Tensor:
        """Return the sum of a group's parts, (samples,), as long as the longest."""
        waves = [group[role].waveform(self.sample_rate) for role in sorted(group)]
        total = np.zeros(max(map(len, waves), default=0), np.float32)
        for wave in waves:
            total[: len(wave)] += wave
        return torch.from_numpy(total)

    def windows_of(self, group: Group) -> tuple[torch.Tensor, torch.Tensor]:
        """Cut the sum of a group into windows that cover it.

        Returns:
            Waves (windows, window_samples), at least one, the last filled up with silence; and
            how much each counts, (windows,): the share of it that exists, 0 where it is silent.
        """
        wave = self.wave_of(group)
        count = max(1, -(-len(wave) // self.window_samples))
        padded = torch.nn.functional.pad(wave, (0, count * self.window_samples - len(wave)))
        windows = padded.unflatten(0, (count, self.window_samples))
        starts = torch.arange(count) * self.window_samples
        share = ((len(wave) - starts) / self.window_samples).clamp(0.0, 1.0)
        return windows, torch.where(is_silent(windows), 0.0, share)
