"""What Lightning reads mixes through."""

from __future__ import annotations

from pathlib import Path

import pytorch_lightning as lightning
from torch.utils.data import DataLoader

from mashnet.audio.transposition import MelTransposition
from mashnet.data.epoch_order import WHOLE, EpochSampler, Share
from mashnet.data.loaders import training_loader, validation_loader
from mashnet.data.mashupdb import ROLES, MashupDB
from mashnet.data.mixes.features import FeatureStore
from mashnet.data.mixes.frontend import MixFrontend
from mashnet.data.mixes.part_store import PartStore
from mashnet.data.mixes.recipes import Recipe, recipes_of
from mashnet.data.mixes.transposed_windows import MOST_SEMITONES
from mashnet.data.mixes.view import (
    EvenWindows,
    Example,
    MixItem,
    RandomGroups,
    joined,
    label_of,
)
from mashnet.data.parts import Part
from mashnet.errors import DatabaseError
from mashnet.invocation import setting

VALIDATION_BATCH = 32  # windows


class MixData(lightning.LightningDataModule):
    """Training and validation windows of a MashupDB's mixes."""

    def __init__(
        self,
        root: str | Path,
        *,
        artefact_control: bool,
        inputs: tuple[str, ...],
        frontend: MixFrontend,
        with_unlabelled: bool,
        transposed_negatives: bool,
        batch_size: int,
        validation_windows: int,
        seed: int,
        num_workers: int = 0,
        device: str = "cpu",
        share: Share = WHOLE,
    ) -> None:
        """Name the database and what to read from it.

        Args:
            root: the MashupDB.
            artefact_control: which of the two sets of recipes to use.
            inputs: the network's inputs: role names, or "mix" for the sum of all roles.
            frontend: makes the log-mels.
            with_unlabelled: whether matched mixes are trained on.
            transposed_negatives: whether originals are also mixed wrongly, see `RandomGroups`.
            batch_size: mixes of each label per step, of all processes together.
            validation_windows: windows per mix in validation.
            seed: decides order and windows.
            num_workers: processes that read windows; 0 reads in the training process, which
                memory-mapped features make fast enough on CPU.
            device: where log-mels are computed when they are not cached yet.
            share: of the examples, for this process.
        """
        super().__init__()
        self.database = MashupDB.open(root)
        self.artefact_control = artefact_control
        self.inputs = inputs
        self.with_unlabelled = with_unlabelled
        self.transposed_negatives = transposed_negatives
        self.batch_size = batch_size
        self.validation_windows = validation_windows
        self.seed = seed
        self.num_workers = num_workers
        self.device = device
        self.share = share
        features = self.database.place("cache", "log_mels")
        self.store = FeatureStore(features, frontend)
        self.train_store = self.store
        self.transposition: MelTransposition | None = None
        if transposed_negatives:
            self.transposition = frontend.transposition(MOST_SEMITONES)
            self.train_store = FeatureStore(features, frontend.widened(MOST_SEMITONES))
        self.parts = PartStore(self.database)
        self.train_items: list[MixItem] = []
        self.val_items: list[MixItem] = []

    def recipes(self, split: str) -> list[Recipe]:
        """Return the recipes of a split.

        Raises:
            DatabaseError: if there are none, with the command that makes them.
        """
        recipes = recipes_of(self.database, split, artefact_control=self.artefact_control)
        if not recipes:
            raise DatabaseError(
                f"{self.database.root} has no mixes in the split '{split}' with artefact_control="
                f"{str(self.artefact_control).lower()}. Make them with: python -m "
                f"data_pipelines.mixes {setting('db', self.database.root)} "
                f"artefact_control={str(self.artefact_control).lower()}"
            )
        return recipes

    def _items(self, recipes: list[Recipe]) -> tuple[list[MixItem], dict[str, list[Part]]]:
        items, wanted = [], {}
        for recipe in recipes:
            features = {}
            # Training puts downmixes together from roles; only validation reads real ones.
            for name in ROLES if recipe.split == "train" else self.inputs:
                roles = ROLES if name == "mix" else (name,)
                parts: list[Part] = [self.parts.part(recipe, role) for role in roles]
                features[name] = self.store.feature_id(parts)
                wanted[features[name]] = parts
            items.append(MixItem(features=features, label=label_of(recipe.condition)))
        return items, wanted

    def setup(self, stage: str) -> None:
        """List the items and compute what the feature cache lacks; a second call does nothing."""
        if self.train_items:
            return
        train = self.recipes("train")
        if not self.with_unlabelled:
            train = [recipe for recipe in train if recipe.condition != "matched"]
        self.train_items, train_wanted = self._items(train)
        self.val_items, val_wanted = self._items(self.recipes("val"))
        parts = [
            part for wanted in (train_wanted, val_wanted) for ps in wanted.values() for part in ps
        ]
        self.parts.render_all(list({part.part_id: part for part in parts}.values()))
        self.train_store.build(train_wanted, self.device)
        self.store.build(val_wanted, self.device)

    def train_dataloader(self) -> DataLoader:
        """Return groups of random windows, a mix of every label in each."""
        dataset = RandomGroups(
            self.train_items,
            self.train_store,
            seed=self.seed,
            transposed_negatives=self.transposed_negatives,
        )
        return training_loader(
            dataset,
            EpochSampler(len(dataset), self.seed),
            batch_size=self.batch_size,
            share=self.share,
            collate_fn=joined,
            num_workers=self.num_workers,
        )

    def on_after_batch_transfer(self, batch: Example, dataloader_idx: int) -> Example:
        """Transpose the windows of a training batch, on the device that trains."""
        if self.transposition is None or "semitones" not in batch:
            return batch
        semitones = batch.pop("semitones")
        self.transposition.to(semitones.device)
        return batch | {role: self.transposition(batch[role], semitones) for role in ROLES}

    def val_dataloader(self) -> DataLoader:
        """Return evenly spaced windows of every validation mix."""
        return validation_loader(
            EvenWindows(self.val_items, self.store, self.validation_windows),
            batch_size=VALIDATION_BATCH,
            share=self.share,
            num_workers=self.num_workers,
        )
