"""Training and validation chunks of a MashupDB's stems."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import torch
from torch.utils.data import DataLoader

from mashnet.data.epoch_order import WHOLE, Share, SharedBatches
from mashnet.data.loaders import no_collation
from mashnet.data.mashupdb import MashupDB
from mashnet.data.song_batches import Key, SongBatches
from mashnet.data.stems.clips import BLOCK_S, StemClip, stem_clips
from mashnet.data.stems.view import (
    TARGETS,
    Augmentation,
    StemChunks,
    blocks_of,
)
from mashnet.data.stems.wave_store import WaveStore
from mashnet.errors import ConfigError, DatabaseError, require_one_of

LEAST_SONGS = 2  # a single song's target has no other to be told from
VALIDATION_SEED = 0  # whatever the run's seed, so that runs are compared on the same chunks


class StemData:
    """The chunks of both splits; waveforms are decoded once, at the network's rate."""

    def __init__(
        self,
        root: str | Path,
        *,
        sample_rate: int,
        target: str,
        chunk_s: tuple[float, float],
        validation_chunk_s: float,
        batch_size: int,
        per_clip: int,
        validation_per_clip: int,
        silence_db: float,
        augmentation: Augmentation,
        seed: int,
        num_workers: int = 0,
        share: Share = WHOLE,
    ) -> None:
        """Name the database and what to draw from it.

        Args:
            root: the MashupDB.
            sample_rate: Hz, of the network.
            target: stem or submix, see `mashnet.data.stems.view`.
            chunk_s: shortest and longest training chunk in seconds; drawn per batch.
            validation_chunk_s: length of every validation chunk.
            batch_size: chunks per step, of all processes together.
            per_clip: chunks of each clip per epoch.
            validation_per_clip: chunks of each validation clip.
            silence_db: a stem below this level in a chunk is silent there, dB of full scale.
            augmentation: of training chunks.
            seed: decides the draws.
            num_workers: processes that read chunks; 0 reads in the training process.
            share: of the chunks, for this process.

        Raises:
            ConfigError: if a setting makes no sense.
            DatabaseError: if a split has fewer than two songs to draw from.
        """
        if not BLOCK_S <= chunk_s[0] <= chunk_s[1]:
            raise ConfigError(
                f"model.chunk_s={list(chunk_s)} must be a shortest and a longest length in seconds"
            )
        self.database = MashupDB.open(root)
        self.target = require_one_of("model.target", target, TARGETS)
        self.chunk_s = chunk_s
        self.validation_chunk_s = validation_chunk_s
        self.batch_size = batch_size
        self.per_clip = per_clip
        self.validation_per_clip = validation_per_clip
        self.silence_db = silence_db
        self.augmentation = augmentation
        self.seed = seed
        self.num_workers = num_workers
        self.share = share
        self.waves = WaveStore(self.database, sample_rate)
        wanted = self.database.clips.filter(self.database.clips["split"].is_in(["train", "val"]))
        stems = self.database.stems.join(wanted.select("clip_id"), "clip_id", "semi")
        self.waves.build(stems["stem_id"].to_list())
        if (unreadable := list(self.waves.unreadable.values())) and not share.process:
            print(
                f"{len(unreadable)} of {len(stems)} stems cannot be used and are left out; "
                f"the first: {unreadable[0]}",
                file=sys.stderr,
            )
        self.clips = {
            "train": self._usable("train", blocks_of(chunk_s)),
            "val": self._usable("val", blocks_of((validation_chunk_s, validation_chunk_s))),
        }

    def train_dataloader(self) -> DataLoader:
        """Return batches of freshly drawn chunks."""
        clips = self.clips["train"]
        dataset = StemChunks(
            clips, self.waves, target=self.target, seed=self.seed, augmentation=self.augmentation
        )
        batches = SongBatches(
            [clip.song for clip in clips],
            batch_size=self.share.batch_size_of(self.batch_size, len(clips) * self.per_clip),
            per_item=self.per_clip,
            lengths=blocks_of(self.chunk_s),
            seed=self.seed,
        )
        return self._loader(dataset, SharedBatches(batches, self.share))

    def val_dataloader(self) -> DataLoader:
        """Return the same chunks every time."""
        clips = self.clips["val"]
        dataset = StemChunks(clips, self.waves, target=self.target, seed=VALIDATION_SEED)
        (blocks,) = blocks_of((self.validation_chunk_s, self.validation_chunk_s))
        turns = range(self.validation_per_clip)
        keys = [(turn, index, blocks) for turn in turns for index in range(len(clips))]
        own = [keys[index] for index in self.share.of_validation(len(keys))]
        size = max(1, self.batch_size // self.share.processes)
        starts = range(0, len(own), size)
        return self._loader(dataset, [own[start : start + size] for start in starts])

    def _loader(self, dataset: StemChunks, batches: Iterable[list[Key]]) -> DataLoader:
        return DataLoader(
            dataset,
            batch_sampler=batches,
            collate_fn=no_collation,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            pin_memory=torch.cuda.is_available(),
        )

    def _usable(self, split: str, blocks: range) -> list[StemClip]:
        clips, left_out = stem_clips(
            self.database, self.waves, split, blocks=blocks, silence_db=self.silence_db
        )
        if left_out and not self.share.process:
            print(
                f"{split}: {len(left_out)} clips left out, the first: {left_out[0]}",
                file=sys.stderr,
            )
        songs = {clip.song for clip in clips}
        if len(songs) < LEAST_SONGS:
            raise DatabaseError(
                f"{self.database.root}: {len(songs)} song(s) of the split '{split}' have "
                f"stems that sound together; at least {LEAST_SONGS} are needed. Add music: "
                "python -m data_pipelines.mashupdb"
            )
        return clips
