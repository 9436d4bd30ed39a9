"""The stems view: chunks of a context mix and of what is missing from it.

    {"context": (batch, samples), "target": (batch, samples), "label": [str], "song": (batch,)}

The target is one stem, the context a random non-empty subset of the others (Stem-JEPA), or both
are random submixes without a stem in common (COCOLA). Neither is ever silent: what sounds is
decided on the chunk, not on the song.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from mashnet.data.song_batches import Key
from mashnet.data.stems.clips import BLOCK_S, StemClip
from mashnet.data.stems.wave_store import WaveStore

UNKNOWN = "music"  # the label of a stem that has none
TARGETS = ("stem", "submix")
_NOISE_SAMPLES = 1 << 21  # 131 s at 16 kHz

Batch = dict[str, Any]


@dataclass(frozen=True)
class Augmentation:
    """What makes training chunks differ from their stems.

    Attributes:
        gain_db: every stem is made louder or quieter by up to this much.
        noise_db: white noise up to this level below the mix is added to each side; None adds none.
    """

    gain_db: float = 0.0
    noise_db: float | None = None


class StemChunks(Dataset[Batch]):
    """Chunks drawn by key, so that an epoch that is begun again draws the same."""

    def __init__(
        self,
        clips: Sequence[StemClip],
        waves: WaveStore,
        *,
        target: str,
        seed: int,
        augmentation: Augmentation | None = None,
    ) -> None:
        """Take the clips and how to draw from them.

        Args:
            clips: those that can be drawn from.
            waves: their waveforms.
            target: stem or submix.
            seed: decides all draws.
            augmentation: of training chunks.
        """
        self.clips = clips
        self.waves = waves
        self.target = target
        self.seed = seed
        self.augmentation = augmentation or Augmentation()

    def __len__(self) -> int:
        """Return the number of clips."""
        return len(self.clips)

    def __getitem__(self, key: Key) -> Batch:
        """Return one chunk: `context` and `target` (samples,), `label`, `song`."""
        return {name: column[0] for name, column in self.__getitems__([key]).items()}

    def __getitems__(self, keys: Sequence[Key]) -> Batch:
        """Return a batch of chunks of one length."""
        blocks = keys[0][2]
        shape = (len(keys), blocks * self.clips[keys[0][1]].block_samples)
        context, target = np.empty(shape, np.float32), np.empty(shape, np.float32)
        labels = [self._draw(*row) for row in zip(keys, context, target, strict=True)]
        return {
            "context": torch.from_numpy(context),
            "target": torch.from_numpy(target),
            "label": labels,
            "song": torch.tensor([self.clips[index].song for _, index, _ in keys]),
        }

    def _draw(self, key: Key, context: np.ndarray, target: np.ndarray) -> str:
        """Write the two sides of a chunk, (samples,) each; return the target's label."""
        draw, index, blocks = key
        clip = self.clips[index]
        random = np.random.default_rng([self.seed, draw, index])
        start = int(random.choice(clip.starts(blocks)))
        sounding = random.permutation(clip.sounding(start, blocks))
        wanted, others = _divided(sounding, self.target, random)
        for stems, mix in ((others, context), (wanted, target)):
            self._mix(clip, stems, start, mix, random)
        return drawn_label(clip.labels[wanted[0]], random) if len(wanted) == 1 else UNKNOWN

    def _mix(
        self,
        clip: StemClip,
        stems: np.ndarray,
        start: int,
        mix: np.ndarray,
        random: np.random.Generator,
    ) -> None:
        """Write a sum of stems from a block on, with gains and noise."""
        length = len(mix)
        mix[:] = 0
        for stem in stems:
            gain_db = random.uniform(-1, 1) * self.augmentation.gain_db
            wave = self.waves.read(clip.stem_ids[stem], start * clip.block_samples, length)
            wave *= np.float32(10 ** (gain_db / 20))
            mix += wave
        if self.augmentation.noise_db is not None:
            level_db = self.augmentation.noise_db - random.uniform(0, 30)
            rms = float(np.sqrt(mix @ mix / length)) * 10 ** (level_db / 20)
            mix += np.multiply(_noise(length, random), np.float32(rms), out=wave)


def _noise(length: int, random: np.random.Generator) -> np.ndarray:
    """Return a random stretch of a long white noise: drawing it anew takes longer than all else."""
    noise = _long_noise(max(_NOISE_SAMPLES, 2 * length))
    first = int(random.integers(len(noise) - length + 1))
    return noise[first : first + length]


@functools.cache
def _long_noise(samples: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(samples, np.float32)


def _divided(
    sounding: np.ndarray, target: str, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Divide stems in random order into those of the target and those of the context."""
    size = 1 if target == "stem" else int(random.integers(1, len(sounding)))
    rest = sounding[size:]
    return sounding[:size], rest[: int(random.integers(1, len(rest) + 1))]


def blocks_of(chunk_s: tuple[float, float]) -> range:
    """Return the lengths of chunks, in blocks, from the shortest to the longest."""
    return range(round(chunk_s[0] / BLOCK_S), round(chunk_s[1] / BLOCK_S) + 1)


def drawn_label(label: str, random: np.random.Generator) -> str:
    """Return one level of a label: "guitar/electric guitar" says guitar or electric guitar."""
    levels = [level.strip() for level in label.split("/") if level.strip()]
    return levels[int(random.integers(len(levels)))] if levels else UNKNOWN
