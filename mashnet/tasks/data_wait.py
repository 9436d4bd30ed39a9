"""Measures how much of an epoch training waits for data."""

from __future__ import annotations

import time
from typing import Any

import pytorch_lightning as pl


class WaitingForData(pl.Callback):
    """Logs `train/waiting_share`: the share of an epoch spent between steps, fetching batches.

    Of several processes it is their mean; waiting for each other is part of a step.
    """

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Start the clocks."""
        self.waited_s = 0.0
        self.began_s = self.left_s = time.perf_counter()

    def on_train_batch_start(
        self, trainer: pl.Trainer, module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Stop waiting."""
        self.waited_s += time.perf_counter() - self.left_s

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Begin to wait."""
        self.left_s = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Log the epoch's share and its seconds."""
        epoch_s = self.left_s - self.began_s
        share = self.waited_s / max(epoch_s, 1e-9)
        module.log("train/waiting_share", share, sync_dist=True)
        module.log("train/epoch_s", epoch_s, sync_dist=True)
