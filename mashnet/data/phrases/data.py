"""Phrases of both splits of a MashupDB, as a training of PlaceNet takes them."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from torch.utils.data import DataLoader

from mashnet.data.epoch_order import WHOLE, Share, SharedBatches
from mashnet.data.loaders import no_collation
from mashnet.data.mashupdb import MashupDB
from mashnet.data.phrases.beat_store import BeatStore
from mashnet.data.phrases.examples import PhraseClip, PhraseExamples, TrackerErrors
from mashnet.data.phrases.pairs import pairs_of
from mashnet.data.phrases.phrase import SidePhrases
from mashnet.data.song_batches import Key, SongBatches
from mashnet.errors import ConfigError, DatabaseError
from mashnet.music.song_facts import facts_of

LEAST_SONGS = 2  # a single song's phrase has no other to be told from
VALIDATION_SEED = 0  # whatever the run's seed, so that runs are compared on the same phrases


class PhraseData:
    """Loaders of phrases; sound is read in beat time once, and kept beside the library."""

    def __init__(
        self,
        root: str | Path,
        *,
        bars: tuple[int, ...],
        validation_bars: int,
        batch_size: int,
        per_clip: int,
        validation_per_clip: int,
        errors: TrackerErrors,
        seed: int,
        num_workers: int = 0,
        share: Share = WHOLE,
    ) -> None:
        """Name the database and what to draw from it.

        Args:
            root: the MashupDB.
            bars: lengths of training phrases; one is drawn per batch.
            validation_bars: length of every validation phrase.
            batch_size: phrases per step, of all processes together.
            per_clip: phrases of each pair of sides per epoch.
            validation_per_clip: phrases of each pair of sides of a validation clip.
            errors: of trackers, in training.
            seed: decides the draws.
            num_workers: processes that draw; 0 draws in the training process.
            share: of the phrases, for this process.

        Raises:
            ConfigError: if a length makes no sense.
            DatabaseError: if a split has fewer than two songs to draw from.
        """
        if not bars or min(*bars, validation_bars) < 1:
            raise ConfigError(f"model.bars={list(bars)} must be lengths of phrases in bars")
        self.database = MashupDB.open(root)
        self.bars = bars
        self.validation_bars = validation_bars
        self.batch_size = batch_size
        self.per_clip = per_clip
        self.validation_per_clip = validation_per_clip
        self.errors = errors
        self.seed = seed
        self.num_workers = num_workers
        self.share = share
        self.store = BeatStore(self.database)
        self.clips = {
            "train": self._usable("train", max(bars)),
            "val": self._usable("val", validation_bars),
        }

    def train_dataloader(self) -> DataLoader:
        """Return batches of freshly drawn phrases."""
        clips = self.clips["train"]
        batches = SongBatches(
            [clip.song for clip in clips],
            batch_size=self.share.batch_size_of(self.batch_size, len(clips) * self.per_clip),
            per_item=self.per_clip,
            lengths=self.bars,
            seed=self.seed,
        )
        examples = PhraseExamples(clips, seed=self.seed, errors=self.errors)
        return self._loader(examples, SharedBatches(batches, self.share))

    def val_dataloader(self) -> DataLoader:
        """Return the same phrases every time."""
        clips = self.clips["val"]
        turns = range(self.validation_per_clip)
        keys = [
            (turn, index, self.validation_bars) for turn in turns for index in range(len(clips))
        ]
        own = [keys[index] for index in self.share.of_validation(len(keys))]
        size = max(1, self.batch_size // self.share.processes)
        batches = [own[start : start + size] for start in range(0, len(own), size)]
        return self._loader(PhraseExamples(clips, seed=VALIDATION_SEED), batches)

    def _loader(self, examples: PhraseExamples, batches: Iterable[list[Key]]) -> DataLoader:
        return DataLoader(
            examples,
            batch_sampler=batches,
            collate_fn=no_collation,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
        )

    def _usable(self, split: str, length: int) -> list[PhraseClip]:
        rows = {
            row["clip_id"]: row
            for row in self.database.clips.sort("clip_id").iter_rows(named=True)
            if row["split"] == split
        }
        song_of = {song: i for i, song in enumerate(sorted({r["song_id"] for r in rows.values()}))}
        pairs = [pair for clip_id in rows for pair in pairs_of(self.database, clip_id)]
        sides = self.store.read(side for pair in pairs for side in (pair.lead, pair.backing))
        found: list[PhraseClip] = []
        for pair in pairs:
            lead, backing = sides.get(pair.lead), sides.get(pair.backing)
            if lead is None or backing is None:
                continue
            key = facts_of(rows[pair.clip_id]).key
            clip = PhraseClip(
                song_of[pair.song_id],
                SidePhrases.of(lead.features, key),
                SidePhrases.of(backing.features, key),
                lead.whole & backing.whole,
            )
            if len(clip.starts(length)):
                found.append(clip)
        metre = self._metre(found)
        clips = [clip for clip in found if clip.lead.beats_per_bar == metre]
        songs = {clip.song for clip in clips}
        if not self.share.process and len(songs) < len(song_of):
            print(
                f"{split}: {len(song_of) - len(songs)} of {len(song_of)} songs left out: no two "
                f"sides of {length} bars of {metre} beats sound in them",
                file=sys.stderr,
            )
        if len(songs) < LEAST_SONGS:
            raise DatabaseError(
                f"{self.database.root}: {len(songs)} song(s) of the split '{split}' have phrases "
                f"of {length} bars in which a stem and others sound; at least {LEAST_SONGS} are "
                "needed. Add music: python -m data_pipelines.mashupdb"
            )
        return clips

    @staticmethod
    def _metre(clips: list[PhraseClip]) -> int:
        """Return the beats per bar that most have: a batch holds phrases of one length."""
        counts = Counter(clip.lead.beats_per_bar for clip in clips)
        return counts.most_common(1)[0][0] if counts else 4
