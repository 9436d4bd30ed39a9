"""Batches in which songs are spread evenly: what learns to tell songs apart needs many of them.

A key says what is drawn: (number of the draw, item, length). An epoch that is begun again draws the
same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from torch.utils.data import Sampler

Key = tuple[int, int, int]


class SongBatches(Sampler[list[Key]]):
    """Batches of keys: every item `per_item` times per epoch, songs spread over the batches.

    What is of one song is no negative of each other, so a batch holds as little of a song as there
    can be: one, as long as it is no larger than the number of songs and these have equally many
    items.
    """

    def __init__(
        self,
        songs: Sequence[int],
        *,
        batch_size: int,
        per_item: int,
        lengths: Sequence[int],
        seed: int,
    ) -> None:
        """Name the items and the batches.

        Args:
            songs: number of each item's song.
            batch_size: keys per batch; those that would fill no batch are left out of an epoch,
                unless they are all there is.
            per_item: keys of each item per epoch.
            lengths: that a key may have; one is drawn per batch.
            seed: decides order and lengths.
        """
        self.songs = np.asarray(songs)
        self.batch_size = min(batch_size, len(songs) * per_item)
        self.per_item = per_item
        self.lengths = lengths
        self.seed = seed
        self.epoch = 0

    @property
    def sampler(self) -> SongBatches:
        """Return this: Lightning calls the `set_epoch` of a batch sampler's sampler only."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Tell which epoch comes next; Lightning calls this."""
        self.epoch = epoch

    def __len__(self) -> int:
        """Return the number of batches."""
        return len(self.songs) * self.per_item // self.batch_size

    def __iter__(self) -> Iterator[list[Key]]:
        """Yield the epoch's batches."""
        random = np.random.default_rng([self.seed, self.epoch])
        indices = random.permutation(np.repeat(np.arange(len(self.songs)), self.per_item))
        indices = indices[: len(self) * self.batch_size]
        songs = self.songs[indices]
        left = {song: list(indices[songs == song]) for song in np.unique(songs)}
        counts = np.array([len(indices) for indices in left.values()])
        waiting = list(left.values())
        drawn: Counter[int] = Counter()
        for to_come in range(len(self), 0, -1):
            length = int(random.choice(self.lengths))
            keys = []
            for song in _shares(counts, to_come, self.batch_size, random):
                index = int(waiting[song].pop())
                keys.append((self.epoch * self.per_item + drawn[index], index, length))
                drawn[index] += 1
            yield keys


def _shares(
    counts: np.ndarray, batches: int, batch_size: int, random: np.random.Generator
) -> list[int]:
    """Choose the songs of a batch, so that those with many keys are not left for the end.

    Args:
        counts: keys that each song still has; taken ones are subtracted. They fill the batches.
        batches: how many are to come, with this one.
        batch_size: how many to choose.
        random: decides among songs.

    Returns:
        Numbers of songs, in random order. Each stands there as often as its share of this batch
        is, rounded down or up.
    """
    certain, rest = np.divmod(counts, batches)
    # Without putting back, likelier the larger the rest (Efraimidis & Spirakis, 2006).
    with np.errstate(divide="ignore"):
        urgency = np.log(random.random(len(counts))) / rest
    more = np.argsort(urgency)[::-1][: batch_size - certain.sum()]
    chosen = np.concatenate([np.repeat(np.arange(len(counts)), certain), more])
    np.subtract.at(counts, chosen, 1)
    return random.permutation(chosen).tolist()
