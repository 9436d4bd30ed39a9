"""The loops view: pairs of loops as log-mels with a label, for training and validation.

Labels: 1 the two sound together in a song, 0 a negative. A batch holds what the network hears:

    {"mix": (batch, frames, mels), "label": (batch,)}                 0.5 a + 0.5 b (loop_cnn)
    {"a": (batch, frames, mels), "b": the same, "label": (batch,)}    each by itself (loop_siamese)
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import torch
from torch.utils.data import DataLoader, Dataset

from mashnet.data.epoch_order import WHOLE, Share, Shuffled
from mashnet.data.loaders import no_collation, training_loader, validation_loader
from mashnet.data.loops.frontend import LoopFrontend
from mashnet.data.loops.loops import POSITIVE, STRATEGIES, LoopPart, part_of
from mashnet.data.loops.packed_mels import PackedMels, ShardedRows
from mashnet.data.mashupdb import MashupDB
from mashnet.errors import DatabaseError, require_one_of
from mashnet.invocation import setting

Batch = dict[str, torch.Tensor]
LEAST_SONGS = 2  # with pairs; a single song has no other to be told from


class LoopPairs(Dataset[Batch]):
    """Pairs read from packed log-mels, a batch at a time."""

    def __init__(
        self, mels: np.ndarray | ShardedRows, rows: dict[str, np.ndarray], labels: np.ndarray
    ) -> None:
        """Take log-mels (sounds, frames, mels), and for each input the row of every pair.

        Args:
            mels: what can be heard.
            rows: input name → row of `mels`, (pairs,).
            labels: 1 or 0, (pairs,).
        """
        self.mels = mels
        self.rows = rows
        self.labels = labels

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.labels)

    def __getitem__(self, index: int) -> Batch:
        """Return one pair."""
        return {name: value[0] for name, value in self.__getitems__([index]).items()}

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """Return a batch of pairs."""
        chosen = np.asarray(indices)
        batch = {
            name: torch.from_numpy(self.mels[rows[chosen]]).float()
            for name, rows in self.rows.items()
        }
        return batch | {"label": torch.from_numpy(self.labels[chosen])}


class LoopData:
    """Training and validation pairs of a MashupDB's loops, with the negatives of one strategy."""

    def __init__(
        self,
        root: str | Path,
        *,
        inputs: tuple[str, ...],
        frontend: LoopFrontend,
        negatives: str,
        batch_size: int,
        seed: int,
        num_workers: int = 0,
        device: str = "cpu",
        share: Share = WHOLE,
    ) -> None:
        """Name the database and what to read from it.

        Args:
            root: the MashupDB.
            inputs: the network's inputs: "mix", or "a" and "b".
            frontend: makes the log-mels.
            negatives: a strategy of `mashnet.data.loops.loops.STRATEGIES`.
            batch_size: pairs per step, of all processes together.
            seed: decides the order.
            num_workers: processes that read batches; 0 reads in the training process.
            device: where log-mels are computed when they are not cached yet.
            share: of the pairs, for this process.

        Raises:
            ConfigError: if there is no such strategy.
            DatabaseError: if there are too few pairs to train on, or none to validate with.
        """
        self.database = MashupDB.open(root)
        self.inputs = inputs
        self.negatives = require_one_of("negatives", negatives, STRATEGIES)
        self.batch_size = batch_size
        self.seed = seed
        self.num_workers = num_workers
        self.device = device
        self.share = share
        self.store = PackedMels(self.database.place("cache", "loop_mels"), frontend)
        self._loops = {row["loop_id"]: row for row in self.database.loops.iter_rows(named=True)}
        for split in ("train", "val"):
            self._require_pairs(split)

    def pairs(self, split: str) -> pl.DataFrame:
        """Return the rows of a split: pairs that fit, then the negatives."""
        wanted = self.database.pairs.filter(
            (pl.col("split") == split) & pl.col("strategy").is_in([POSITIVE, self.negatives])
        )
        return wanted.sort(-pl.col("label"), "pair_id")

    def dataset(self, split: str) -> LoopPairs:
        """Return a split's pairs; what the cache lacks is computed first."""
        pairs = self.pairs(split)
        ends = [
            (
                part_of(self.database, self._loops[row["loop_a"]]),
                part_of(self.database, self._loops[row["loop_b"]], row["params"]),
            )
            for row in pairs.iter_rows(named=True)
        ]
        sounds: dict[tuple[str, ...], tuple[LoopPart, ...]] = {}
        heard: dict[str, list[tuple[str, ...]]] = {name: [] for name in self.inputs}
        for end in ends:
            for name in self.inputs:
                parts = end if name == "mix" else (end[self.inputs.index(name)],)
                key = tuple(part.part_id for part in parts)
                sounds.setdefault(key, parts)
                heard[name].append(key)
        row_of = {key: row for row, key in enumerate(sounds)}
        mels = self.store.pack(list(sounds.values()), label=f"{split} loops", device=self.device)
        rows = {name: np.array([row_of[key] for key in keys]) for name, keys in heard.items()}
        return LoopPairs(mels, rows, pairs["label"].to_numpy())

    def train_dataloader(self) -> DataLoader:
        """Return shuffled batches."""
        dataset = self.dataset("train")
        return training_loader(
            dataset,
            Shuffled(len(dataset), self.seed),
            batch_size=self.batch_size,
            share=self.share,
            collate_fn=no_collation,
            num_workers=self.num_workers,
        )

    def val_dataloader(self) -> DataLoader:
        """Return the validation pairs in their order."""
        return validation_loader(
            self.dataset("val"),
            batch_size=max(1, self.batch_size // self.share.processes),
            share=self.share,
            collate_fn=no_collation,
            num_workers=self.num_workers,
        )

    def _require_pairs(self, split: str) -> None:
        pairs = self.pairs(split)
        root = self.database.root
        if not (pairs["label"] == 1).any():
            raise DatabaseError(
                f"{root} has no pairs of loops in the split '{split}'. Make them with: "
                f"python -m data_pipelines.loops {setting('db', root)}"
            )
        songs = {self._loops[loop]["song_id"] for loop in pairs["loop_a"]}
        others_needed = split == "train" or self.negatives in ("random", "selected")
        if others_needed and len(songs) < LEAST_SONGS:
            raise DatabaseError(
                f"{root}: only {len(songs)} song in the split '{split}' has pairs of loops; at "
                f"least {LEAST_SONGS} are needed. Add music, or see why songs were left out: "
                f"{root / 'rejects.parquet'}"
            )
        if not (pairs["label"] == 0).any():
            raise DatabaseError(
                f"{root} has no negatives of the strategy {self.negatives} in the split "
                f"'{split}'. Make them with: python -m data_pipelines.negatives "
                f"{setting('db', root)} "
                f"strategies=[{self.negatives}]"
            )
