"""Predictive training: the target's patches from the context's, against a slowly moving encoder."""

from __future__ import annotations

from typing import Any

import torch

from mashnet.models.stems.predictive import PredictiveNetwork
from mashnet.tasks.stem import StemTask


class JepaTask(StemTask):
    """Trains a joint-embedding predictive architecture (Riou et al., Stem-JEPA, ISMIR 2024)."""

    network: PredictiveNetwork

    def training_step(self, batch: dict[str, Any], batch_index: int) -> torch.Tensor:
        """Return the mean squared error of the predicted patches."""
        self.begin_step()
        predicted, wanted = self.network(batch)
        loss: torch.Tensor = self.network.loss(predicted.float(), wanted.float())
        size = len(batch["song"])
        how: dict[str, Any] = {"on_step": False, "on_epoch": True, "sync_dist": True}
        self.log("train/loss", loss, batch_size=size, prog_bar=True, **how)
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_index: int) -> None:
        """Move the target encoder after the one that was trained."""
        total = max(1, int(self.trainer.estimated_stepping_batches))
        # Lightning has counted the step already.
        self.network.update_target(self.global_step - 1, total)
