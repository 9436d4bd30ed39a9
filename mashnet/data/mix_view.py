"""The mixes view: recipes as windows of log-mel with a label, for training and validation.

Labels: 1 original (fits), 0 unmatched (does not), -1 matched (unlabelled: nobody knows).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler

from mashnet.audio.spectrogram import FLOOR_DB
from mashnet.data.features import FeatureStore
from mashnet.data.mashupdb import ROLES
from mashnet.data.moved_originals import MixItem, MovedOriginals

UNLABELLED = -1


def label_of(condition: str) -> int:
    """Return the label of a recipe's condition."""
    return {"original": 1, "matched": UNLABELLED}.get(condition, 0)


def balanced(items: Sequence[MixItem]) -> list[MixItem]:
    """Repeat the items of rarer labels until all labels are equally frequent (the paper's thirds).

    Every item occurs at least once; the repeats of a label differ by at most one.
    """
    by_label: dict[int, list[MixItem]] = {}
    for item in items:
        by_label.setdefault(item.label, []).append(item)
    most = max(map(len, by_label.values()), default=0)
    return [group[i % len(group)] for group in by_label.values() for i in range(most)]


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


class RandomWindows(Dataset[dict[str, torch.Tensor]]):
    """One random window per mix and epoch, cut at the same place from all roles.

    A share of the unmatched ones is replaced by originals in which one role is moved
    (`MovedOriginals`).
    """

    def __init__(
        self,
        items: Sequence[MixItem],
        store: FeatureStore,
        *,
        inputs: Sequence[str],
        seed: int,
        moved_negatives: float,
    ) -> None:
        """Take items whose features of all roles the store holds.

        Args:
            items: the mixes.
            store: where their log-mels lie.
            inputs: the network's: role names, or "mix" for the sum of all roles.
            seed: decides the windows.
            moved_negatives: share of unmatched examples that are moved originals, 0 to 1.
        """
        self.items = balanced(items)
        self.store = store
        self.inputs = tuple(inputs)
        self.seed = seed
        self.moved_negatives = moved_negatives
        self.moved = MovedOriginals([item for item in items if item.label == 1])

    def __len__(self) -> int:
        """Return the number of items after balancing."""
        return len(self.items)

    def __getitem__(self, key: tuple[int, int]) -> dict[str, torch.Tensor]:
        """Return {input: (window_frames, mels), "label": ()} for an (epoch, index) pair."""
        epoch, index = key
        item = self.items[index]
        random = np.random.default_rng([self.seed, epoch, index])
        length = self.store.frontend.window_frames
        if item.label == 0 and self.moved and random.random() < self.moved_negatives:
            cuts = self.moved.draw(random, self.store, length)
        else:
            mels = {role: self.store.open(item.features[role]) for role in ROLES}
            longest_start = max(0, min(mel.shape[0] for mel in mels.values()) - length)
            start = int(random.integers(longest_start + 1))
            cuts = {role: (mel, start) for role, mel in mels.items()}
        windows = {role: _window(mel, start, length) for role, (mel, start) in cuts.items()}
        if self.inputs == ("mix",):
            windows = {"mix": summed(list(windows.values()))}
        return {**windows, "label": torch.tensor(item.label)}


def summed(mels: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return about what the log-mel of the sum of some parts would be, (frames, mels).

    Powers are added, which leaves out how phases meet; the level is brought back to that of one
    part, as `MixFrontend.log_mel_of` does. A downmix that is put together from roles can be moved
    role by role in training; validation and scoring hear the real one.
    """
    power = sum(10.0 ** ((mel - 1.0) * -FLOOR_DB / 10) for mel in mels)
    silence = 10.0 ** (FLOOR_DB / 10)
    level_db = 10.0 * torch.log10((torch.as_tensor(power) / len(mels)).clamp_min(silence))
    return (1.0 - level_db / FLOOR_DB).clamp(0.0, 1.0)


class EvenWindows(Dataset[dict[str, torch.Tensor]]):
    """A fixed number of evenly spaced windows per mix, for validation."""

    def __init__(self, items: Sequence[MixItem], store: FeatureStore, windows: int) -> None:
        """Take items whose features the store holds."""
        self.items = list(items)
        self.store = store
        self.windows = windows

    def __len__(self) -> int:
        """Return mixes × windows."""
        return len(self.items) * self.windows

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
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
