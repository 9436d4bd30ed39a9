"""The mixes view: recipes as windows of log-mel with a label, for training and validation.

Labels: 1 original (fits), 0 unmatched (does not), -1 matched (unlabelled: nobody knows).

A training batch holds windows of every role once and says which of them are heard together:

    {role: (windows, frames, mels), "mixes": (mixes, 3), "label": (mixes,),
     "semitones": (windows,), "top_hz": (3, windows)}

`mixes` holds the window of each role in the order of ROLES. The last two, by how much a window is
to be transposed and where it ends at the top, are there only with moved negatives.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler

from mashnet.data.features import FeatureStore
from mashnet.data.mashupdb import ROLES
from mashnet.data.moved_windows import (
    TOP_SHARE,
    Move,
    draw_common_semitones,
    draw_mixes,
    draw_moves,
)
from mashnet.errors import DatabaseError

UNLABELLED = -1

Example = dict[str, torch.Tensor]


@dataclass(frozen=True)
class MixItem:
    """One mix: what each input of the network is called in the feature store, and the label."""

    features: Mapping[str, str]  # input or role name → feature_id
    label: int
    beat_frames: float = 0.0  # of the vocal, in the mix


def label_of(condition: str) -> int:
    """Return the label of a recipe's condition."""
    return {"original": 1, "matched": UNLABELLED}.get(condition, 0)


class EpochSampler(Sampler[tuple[int, int]]):
    """Yields (epoch, index) in an order that the seed and the epoch decide alone.

    A run resumed at an epoch therefore sees exactly what the undisturbed run would have seen.
    """

    def __init__(self, size: int, seed: int) -> None:
        """Name the number of items and the run's seed."""
        self.size = size
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Tell which epoch comes next; Lightning calls this."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Yield every index once."""
        order = np.random.default_rng([self.seed, self.epoch]).permutation(self.size)
        return iter([(self.epoch, int(index)) for index in order])

    def __len__(self) -> int:
        """Return the number of items."""
        return self.size


class RandomGroups(Dataset[Example]):
    """One mix of every label per group (the paper's halves or thirds), at a random place each.

    Every mix occurs in every epoch: labels that have fewer mixes than others repeat theirs.
    """

    def __init__(
        self, items: Sequence[MixItem], store: FeatureStore, *, seed: int, moved_negatives: bool
    ) -> None:
        """Take items whose features of all roles the store holds.

        Args:
            items: the mixes.
            store: where their log-mels lie.
            seed: decides the windows.
            moved_negatives: whether originals are heard at two places and pitches, and mixed from
                both (`mashnet.data.moved_windows`).

        Raises:
            DatabaseError: if there is no original.
        """
        self.by_label: dict[int, list[MixItem]] = {}
        for item in items:
            self.by_label.setdefault(item.label, []).append(item)
        if 1 not in self.by_label:
            raise DatabaseError(
                "there is no original to learn from: at least one song of the training split must "
                "have a vocal, a harmonic and a percussion stem"
            )
        self.store = store
        self.seed = seed
        self.moved_negatives = moved_negatives

    def __len__(self) -> int:
        """Return the number of mixes of the most frequent label."""
        return max(map(len, self.by_label.values()))

    def __getitem__(self, key: tuple[int, int]) -> Example:
        """Return the group of an (epoch, index) pair, a small batch as the module describes it."""
        epoch, index = key
        random = np.random.default_rng([self.seed, epoch, index])
        examples = []
        for label, items in sorted(self.by_label.items(), reverse=True):
            item = items[index % len(items)]
            moved = label == 1 and self.moved_negatives
            examples.append(self._moved(item, random) if moved else self._plain(item, random))
        return joined(examples)

    def _plain(self, item: MixItem, random: np.random.Generator) -> Example:
        mels = {role: self.store.open(item.features[role]) for role in ROLES}
        longest_start = max(0, min(map(len, mels.values())) - self.store.frontend.window_frames)
        move = Move(int(random.integers(longest_start + 1)), draw_common_semitones(random))
        mixes, labels = np.zeros((1, len(ROLES)), int), np.array([item.label])
        return self._example(mels, [move], mixes, labels, random)

    def _moved(self, item: MixItem, random: np.random.Generator) -> Example:
        mels = {role: self.store.open(item.features[role]) for role in ROLES}
        frontend = self.store.frontend
        moves = draw_moves(
            random,
            frames=min(map(len, mels.values())),
            window_frames=frontend.window_frames,
            frames_per_s=frontend.frames_per_s,
            beat_frames=item.beat_frames,
        )
        return self._example(mels, moves, *draw_mixes(random), random)

    def _example(
        self,
        mels: Mapping[str, np.ndarray],
        moves: Sequence[Move],
        mixes: np.ndarray,
        labels: np.ndarray,
        random: np.random.Generator,
    ) -> Example:
        length = self.store.frontend.window_frames
        example = {
            role: torch.stack([_window(mel, move.start, length) for move in moves])
            for role, mel in mels.items()
        }
        example |= {"mixes": torch.from_numpy(mixes), "label": torch.from_numpy(labels)}
        if self.moved_negatives:
            semitones = np.array([move.semitones for move in moves], np.float32)
            top_share = random.uniform(*TOP_SHARE, (len(ROLES), len(moves))).astype(np.float32)
            example |= {
                "semitones": torch.from_numpy(semitones),
                "top_hz": torch.from_numpy(top_share) * self.store.frontend.log_mel.f_max_hz,
            }
        return example


def joined(examples: Sequence[Example]) -> Example:
    """Join small batches into one; the rows that `mixes` names move along."""
    first_windows = np.cumsum([0] + [len(example[ROLES[0]]) for example in examples[:-1]])
    batch = {
        name: torch.cat([example[name] for example in examples], -1 if name == "top_hz" else 0)
        for name in examples[0]
    }
    batch["mixes"] = torch.cat(
        [e["mixes"] + int(first) for e, first in zip(examples, first_windows, strict=True)]
    )
    return batch


class EvenWindows(Dataset[Example]):
    """A fixed number of evenly spaced windows per mix, for validation."""

    def __init__(self, items: Sequence[MixItem], store: FeatureStore, windows: int) -> None:
        """Take items whose features the store holds."""
        self.items = list(items)
        self.store = store
        self.windows = windows

    def __len__(self) -> int:
        """Return mixes × windows."""
        return len(self.items) * self.windows

    def __getitem__(self, index: int) -> Example:
        """Return {input: (window_frames, mels), "label": (), "mix_index": ()}."""
        mix, window = divmod(index, self.windows)
        item = self.items[mix]
        mels = {name: self.store.open(feature) for name, feature in item.features.items()}
        length = self.store.frontend.window_frames
        longest_start = max(0, min(mel.shape[0] for mel in mels.values()) - length)
        start = round(longest_start * (window + 0.5) / self.windows)
        example = {name: _window(mel, start, length) for name, mel in mels.items()}
        example["label"] = torch.tensor(item.label)
        example["mix_index"] = torch.tensor(mix)
        return example


def _window(mel: np.ndarray, start: int, length: int) -> torch.Tensor:
    cut = torch.from_numpy(np.array(mel[start : start + length], dtype=np.float32))
    return torch.nn.functional.pad(cut, (0, 0, 0, length - cut.shape[0]))
