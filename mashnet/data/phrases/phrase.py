"""Phrases as a network hears them: some beats of one side, their pitches relative to the key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from mashnet.audio.beat_features import OCTAVES, STEPS, BeatFeatures
from mashnet.music.keys import Key

SOUNDS_ABOVE = -1.5  # of `level`: 30 dB below what is loud in the clip
LEAST_SOUNDING = 0.3  # of a phrase's beats; less says nothing about what fits it


@dataclass(frozen=True)
class Phrases:
    """Phrases of equal length; tempo and key are gone.

    Attributes:
        onsets: strength of onsets, (n, beats, MOMENTS, BANDS).
        chroma: pitch classes, that of the relative major's tonic first, (n, 2 · beats, 12).
        level: as in BeatFeatures, (n, beats).
        bars: how many each lasts.
    """

    onsets: torch.Tensor
    chroma: torch.Tensor
    level: torch.Tensor
    bars: int

    def __len__(self) -> int:
        """Return the number of phrases."""
        return len(self.level)

    @property
    def beats_per_bar(self) -> int:
        """How many beats each bar has."""
        return self.level.shape[1] // self.bars

    def __getitem__(self, index: torch.Tensor | slice) -> Phrases:
        """Choose phrases."""
        return Phrases(self.onsets[index], self.chroma[index], self.level[index], self.bars)

    def to(self, device: torch.device | str) -> Phrases:
        """Return them on a device."""
        return Phrases(
            self.onsets.to(device), self.chroma.to(device), self.level.to(device), self.bars
        )

    def shifted(self, semitones: int | torch.Tensor) -> Phrases:
        """Return them with their pitches moved up, all alike or each by its own, (n,)."""
        if isinstance(semitones, int):
            chroma = self.chroma.roll(semitones, -1)
        else:
            from_class = (torch.arange(12, device=semitones.device) - semitones[:, None]) % 12
            chroma = self.chroma.gather(-1, from_class[:, None].expand_as(self.chroma))
        return Phrases(self.onsets, chroma, self.level, self.bars)

    def at_level(self, level: float) -> Phrases:
        """Return them counted anew, each beat as `level` beats (2, 1 or 1/2), bars likewise.

        Raises:
            ValueError: at half of them, if bars are odd; or for another level.
        """
        if level == 1.0:
            return self
        if level == 2.0:
            halves = self.onsets.unflatten(2, (2, -1)).flatten(1, 2)
            return Phrases(
                halves.repeat_interleave(2, 2),
                self.chroma.repeat_interleave(2, 1),
                self.level.repeat_interleave(2, 1),
                2 * self.bars,
            )
        if level != 0.5 or self.bars % 2:
            raise ValueError(f"beats of {self.bars} bars cannot be counted as {level:g} each")
        moments = self.onsets.shape[2]
        return Phrases(
            self.onsets.unflatten(1, (-1, 2)).flatten(2, 3).unflatten(2, (moments, 2)).mean(3),
            self.chroma.unflatten(1, (-1, 2)).mean(2),
            self.level.unflatten(1, (-1, 2)).mean(2),
            self.bars // 2,
        )

    def sounding(self) -> torch.Tensor:
        """Return in which phrases enough sounds to be judged, (n,)."""
        return (self.level > SOUNDS_ABOVE).float().mean(1) >= LEAST_SOUNDING


def joined(phrases: Sequence[Phrases]) -> Phrases:
    """Put phrases of equal length into one batch."""
    return Phrases(
        torch.cat([p.onsets for p in phrases]),
        torch.cat([p.chroma for p in phrases]),
        torch.cat([p.level for p in phrases]),
        phrases[0].bars,
    )


def chroma_of(pitches: torch.Tensor) -> torch.Tensor:
    """Fold pitches to pitch classes, C first: (…, PITCHES) to (…, 12).

    Only semitones that stand out count, those no fainter than both their neighbours: the skirts of
    a loud tone are no notes. What lies half way between two semitones is in neither.
    """
    semitones = pitches.unflatten(-1, (12 * OCTAVES, STEPS))[..., 0]
    below = torch.nn.functional.pad(semitones, (1, 0))[..., :-1]
    above = torch.nn.functional.pad(semitones, (0, 1))[..., 1:]
    peaks = semitones * (semitones >= torch.maximum(below, above))
    return peaks.unflatten(-1, (OCTAVES, 12)).sum(-2)


@dataclass(frozen=True)
class SidePhrases:
    """A side of a clip beat by beat, from which phrases are cut.

    Attributes:
        onsets: (bars, beats, MOMENTS, BANDS).
        chroma: relative to the key, (bars, beats, PITCH_MOMENTS, 12).
        level: (bars, beats).
    """

    onsets: torch.Tensor
    chroma: torch.Tensor
    level: torch.Tensor

    @classmethod
    def of(cls, features: BeatFeatures, key: Key | None) -> SidePhrases:
        """Read pitches relative to a key; as they are where it is not known."""
        tonic = key.relative_major_tonic if key else 0
        chroma = chroma_of(features.pitches.float()).roll(-tonic, -1)
        return cls(features.onsets.float(), chroma, features.level.float())

    @property
    def beats_per_bar(self) -> int:
        """How many beats each bar has."""
        return self.level.shape[1]

    def cut(self, bars: Sequence[int] | np.ndarray, length: int, *, late: int = 0) -> Phrases:
        """Return phrases that begin at some bars, or some beats after them.

        Args:
            bars: the first bar of each.
            length: of a phrase, in bars.
            late: by how many beats each begins late; negative: early.

        Raises:
            IndexError: if a phrase would reach beyond the clip.
        """
        beats = self.beats_per_bar
        starts = np.asarray(bars)[:, None] * beats + late
        numbers = starts + np.arange(length * beats)
        if numbers.size and (numbers.min() < 0 or numbers.max() >= self.level.numel()):
            raise IndexError("a phrase reaches beyond its clip")
        rows = torch.from_numpy(numbers).to(self.level.device)
        return Phrases(
            self.onsets.flatten(0, 1)[rows],
            self.chroma.flatten(0, 1)[rows].flatten(1, 2),
            self.level.flatten()[rows],
            length,
        )
