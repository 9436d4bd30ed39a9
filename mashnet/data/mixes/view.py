"""The mixes view: recipes as windows of log-mel with a label, for training and validation.

Labels: 1 original (fits), 0 unmatched (does not), -1 matched (unlabelled: nobody knows).

A training batch holds windows of every role once and says which of them are heard together:

    {role: (windows, frames, mels), "mixes": (mixes, 3), "label": (mixes,)}

`mixes` holds the window of each role in the order of ROLES. With transposed negatives there
is also "semitones": (windows,), by how much to transpose each window before it is heard.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import Dataset

from mashnet.data.mixes.features import FeatureStore
from mashnet.data.mixes.transposed_windows import (
    draw_common_semitones,
    draw_places,
    mixes_of_windows,
)
from mashnet.data.roles import ROLES
from mashnet.errors import DatabaseError

UNLABELLED = -1

Example = dict[str, torch.Tensor]


@dataclass(frozen=True)
class MixItem:
    """One mix: what each input of the network is called in the feature store, and the label."""

    features: Mapping[str, str]  # input or role name → feature_id
    label: int


def label_of(condition: str) -> int:
    """Return the label of a recipe's condition."""
    return {"original": 1, "matched": UNLABELLED}.get(condition, 0)


class RandomGroups(Dataset[Example]):
    """One mix of every label per group (the paper's halves or thirds), at a random place each.

    Every mix occurs in every epoch: labels that have fewer mixes than others repeat theirs.
    """

    def __init__(
        self,
        items: Sequence[MixItem],
        store: FeatureStore,
        *,
        seed: int,
        transposed_negatives: bool,
    ) -> None:
        """Take items whose features of all roles the store holds.

        Args:
            items: the mixes.
            store: where their log-mels lie.
            seed: decides the windows.
            transposed_negatives: whether originals are also mixed with one role at another pitch
                (`mashnet.data.mixes.transposed_windows`).

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
        self.transposed_negatives = transposed_negatives

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
            both = label == 1 and self.transposed_negatives
            examples.append((self._both_pitches if both else self._plain)(item, random))
        return joined(examples)

    def _plain(self, item: MixItem, random: np.random.Generator) -> Example:
        mels = {role: self.store.open(item.features[role]) for role in ROLES}
        longest_start = max(0, min(map(len, mels.values())) - self.store.frontend.window_frames)
        example = {
            **self._windows(mels, [int(random.integers(longest_start + 1))]),
            "mixes": torch.zeros(1, len(ROLES), dtype=torch.long),
            "label": torch.tensor([item.label]),
        }
        if self.transposed_negatives:
            example["semitones"] = torch.tensor([draw_common_semitones(random)])
        return example

    def _both_pitches(self, item: MixItem, random: np.random.Generator) -> Example:
        mels = {role: self.store.open(item.features[role]) for role in ROLES}
        places = draw_places(
            random,
            frames=min(map(len, mels.values())),
            window_frames=self.store.frontend.window_frames,
        )
        mixes, labels = mixes_of_windows()
        return {
            **self._windows(mels, [place.start for place in places]),
            "mixes": torch.from_numpy(mixes),
            "label": torch.from_numpy(labels),
            "semitones": torch.tensor([place.semitones for place in places]),
        }

    def _windows(self, mels: Mapping[str, np.ndarray], starts: Sequence[int]) -> Example:
        length = self.store.frontend.window_frames
        return {
            role: torch.stack([_window(mel, start, length) for start in starts])
            for role, mel in mels.items()
        }


def joined(examples: Sequence[Example]) -> Example:
    """Join small batches into one; the rows that `mixes` names move along."""
    first_windows = np.cumsum([0] + [len(example[ROLES[0]]) for example in examples[:-1]])
    batch = {name: torch.cat([example[name] for example in examples]) for name in examples[0]}
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
