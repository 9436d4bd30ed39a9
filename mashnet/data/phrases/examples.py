"""The phrases view: what leads, what it is heard with, and the same where it does not belong.

    {"lead": Phrases, "backing": Phrases, "moved": Phrases, "song": (batch,)}

Row i of lead and backing are the same bars of one clip. Row i of moved is the backing where it does
not fit that lead: some beats late, or in another key. Examples are read as a tracker may have heard
them, both sides alike: at half or twice the tempo, or with bars that begin a beat late.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from mashnet.data.phrases.phrase import Phrases, SidePhrases, joined
from mashnet.data.song_batches import Key

Batch = dict[str, Any]
_ALIKE = 0.7  # correlation: a backing that is moved and hardly differs would be no negative


@dataclass(frozen=True, eq=False)
class PhraseClip:
    """Two sides of one clip.

    Attributes:
        song: number of its song within the split.
        lead: bar by bar.
        backing: likewise.
        whole: which bars both have.
    """

    song: int
    lead: SidePhrases
    backing: SidePhrases
    whole: np.ndarray

    def starts(self, length: int) -> np.ndarray:
        """Return the bars at which phrases of a length begin in which both sides sound."""
        if len(self.whole) < length:
            return np.zeros(0, np.int64)
        runs = np.lib.stride_tricks.sliding_window_view(self.whole, length).all(axis=1)
        starts = np.flatnonzero(runs)
        if not len(starts):
            return starts
        sounds = (
            self.lead.cut(starts, length).sounding() & self.backing.cut(starts, length).sounding()
        )
        return starts[sounds.numpy()]


@dataclass(frozen=True)
class TrackerErrors:
    """How often a training example is read as a tracker may have heard it.

    Attributes:
        tempo: at half or twice the tempo, 0…1.
        late: with bars that begin one to three beats late, 0…1.
    """

    tempo: float = 0.0
    late: float = 0.0


class PhraseExamples(Dataset[Batch]):
    """Phrases drawn by key, so that an epoch that is begun again draws the same."""

    def __init__(
        self, clips: Sequence[PhraseClip], *, seed: int, errors: TrackerErrors | None = None
    ) -> None:
        """Take the clips and how to draw from them."""
        self.clips = clips
        self.seed = seed
        self.errors = errors or TrackerErrors()
        self._starts: dict[tuple[int, int], np.ndarray] = {}

    def __len__(self) -> int:
        """Return the number of clips."""
        return len(self.clips)

    def __getitem__(self, key: Key) -> Batch:
        """Return a batch of one."""
        return self.__getitems__([key])

    def __getitems__(self, keys: Sequence[Key]) -> Batch:
        """Return a batch of phrases of one length."""
        drawn = [self._draw(*key) for key in keys]
        lead, backing, moved = (joined(column) for column in zip(*drawn, strict=True))
        return {
            "lead": lead,
            "backing": backing,
            "moved": moved,
            "song": torch.tensor([self.clips[index].song for _, index, _ in keys]),
        }

    def _draw(self, draw: int, index: int, length: int) -> tuple[Phrases, Phrases, Phrases]:
        clip = self.clips[index]
        random = np.random.default_rng([self.seed, draw, index])
        level = float(random.choice([0.5, 2.0])) if random.random() < self.errors.tempo else 1.0
        if not len(self._begins(index, round(length / level))):
            level = 1.0
        bars = round(length / level)
        start = int(random.choice(self._begins(index, bars)))
        beats = clip.lead.beats_per_bar
        late = int(random.integers(1, beats)) if random.random() < self.errors.late else 0
        if late and not (start + bars < len(clip.whole) and clip.whole[start + bars]):
            late = 0

        def phrase(side: SidePhrases, more: int = 0) -> Phrases:
            return side.cut([start], bars, late=more).at_level(level)

        lead, backing = phrase(clip.lead, late), phrase(clip.backing, late)
        return lead, backing, _moved(backing, random)

    def _begins(self, index: int, length: int) -> np.ndarray:
        if (index, length) not in self._starts:
            self._starts[index, length] = self.clips[index].starts(length)
        return self._starts[index, length]


def _moved(backing: Phrases, random: np.random.Generator) -> Phrases:
    """Return a backing some beats late, or in another key: one that does not repeat itself there.

    What comes back to itself after a bar is no worse a bar late, so that a beat or two it is.
    """
    beats = backing.level.shape[1]
    if random.random() < 0.5:
        for late in random.permutation([1, 2, 3, beats - 1, beats - 2, beats - 3]):
            turned = Phrases(
                backing.onsets.roll(int(late), 1),
                backing.chroma.roll(2 * int(late), 1),
                backing.level.roll(int(late), 1),
                backing.bars,
            )
            if _alike(turned, backing) < _ALIKE:
                return turned
    return backing.shifted(int(random.integers(1, 12)))


def _alike(one: Phrases, other: Phrases) -> float:
    first, second = (p.chroma.flatten() - p.chroma.mean() for p in (one, other))
    return float(torch.nn.functional.cosine_similarity(first, second, 0))
