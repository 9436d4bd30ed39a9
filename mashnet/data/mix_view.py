"""The mixes view: recipes as windows of log-mel with a label, for training and validation.

Labels: 1 original (fits), 0 unmatched (does not), -1 matched (unlabelled: nobody knows).

A training batch holds windows of every role once and says which of them are heard together:

    {role: (windows, frames, mels), "mixes": (mixes, 3), "label": (mixes,)}

`mixes` holds the window of each role in the order of ROLES. With moved negatives there is also
"semitones": (windows,), by how much to transpose each window before it is heard.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler

from mashnet.data.features import FeatureStore
from mashnet.data.mashupdb import ROLES
from mashnet.data.moved_windows import draw_common_semitones, draw_mixes, draw_moves
from mashnet.errors import DatabaseError

UNLABELLED = -1

Example = dict[str, torch.Tensor]


@dataclass(frozen=True)
class MixItem:
    """One mix: what each input of the network is called in the feature store, and the label."""

    features: Mapping[str, str]  # input or role name → feature_id
    label: int
    song: str = ""  # of the vocal: originals that share it are versions of the same music
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
        self,
        items: Sequence[MixItem],
        store: FeatureStore,
        *,
        seed: int,
        moved_negatives: bool,
        pitch_first_epochs: int,
    ) -> None:
        """Take items whose features of all roles the store holds.

        Args:
            items: the mixes.
            store: where their log-mels lie.
            seed: decides the windows.
            moved_negatives: whether originals are heard beside another song's, each at several
                places and pitches, and mixed from all of them (`mashnet.data.moved_windows`).
            pitch_first_epochs: for so many epochs originals are mixed wrongly in pitch only. A
                network that has found timing first hardly finds pitch any more; the other way
                round it finds both.

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
        self.originals_of: dict[str, list[MixItem]] = {}
        for item in self.by_label[1]:
            self.originals_of.setdefault(item.song, []).append(item)
        self.store = store
        self.seed = seed
        self.moved_negatives = moved_negatives
        self.pitch_first_epochs = pitch_first_epochs

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
            pitch_only = epoch < self.pitch_first_epochs
            examples.append(
                self._moved(item, random, pitch_only) if moved else self._plain(item, random)
            )
        return joined(examples)

    def _plain(self, item: MixItem, random: np.random.Generator) -> Example:
        mels = {role: self.store.open(item.features[role]) for role in ROLES}
        longest_start = max(0, min(map(len, mels.values())) - self.store.frontend.window_frames)
        example = {
            **self._windows(mels, [int(random.integers(longest_start + 1))]),
            "mixes": torch.zeros(1, len(ROLES), dtype=torch.long),
            "label": torch.tensor([item.label]),
        }
        if self.moved_negatives:
            example["semitones"] = torch.tensor([draw_common_semitones(random)])
        return example

    def _moved(self, item: MixItem, random: np.random.Generator, pitch_only: bool) -> Example:
        heard = [self._places_and_pitches(item, random)]
        other_songs = [song for song in self.originals_of if song != item.song]
        if other_songs:
            others = self.originals_of[other_songs[random.integers(len(other_songs))]]
            other = others[random.integers(len(others))]
            heard.append(self._places_and_pitches(other, random))
        drawn = draw_mixes(random, len(heard), pitch_only=pitch_only)
        return {
            **{name: torch.cat([windows[name] for windows in heard]) for name in heard[0]},
            "mixes": torch.from_numpy(drawn.mixes),
            "label": torch.from_numpy(drawn.labels),
        }

    def _places_and_pitches(self, item: MixItem, random: np.random.Generator) -> Example:
        """Return the four windows of an original, and by how much to transpose each."""
        frontend = self.store.frontend
        mels = {role: self.store.open(item.features[role]) for role in ROLES}
        moves = draw_moves(
            random,
            frames=min(map(len, mels.values())),
            window_frames=frontend.window_frames,
            frames_per_s=frontend.frames_per_s,
            beat_frames=item.beat_frames,
        )
        return {
            **self._windows(mels, [move.start for move in moves]),
            "semitones": torch.tensor([move.semitones for move in moves]),
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
