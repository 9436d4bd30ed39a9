"""Contrastive training: a context's own target against those of the other songs in the batch."""

from __future__ import annotations

from typing import Any

import torch

from mashnet.models.stems.scoring import ContrastiveNetwork
from mashnet.tasks.stem import StemTask


class ContrastiveTask(StemTask):
    """Trains any ContrastiveNetwork; batches of all devices are put together."""

    network: ContrastiveNetwork

    def training_step(self, batch: dict[str, Any], batch_index: int) -> torch.Tensor:
        """Return the network's loss of a batch, over the chunks of all devices."""
        self.begin_step()
        contexts, targets = self.network(batch)
        size = len(contexts)
        songs = self._of_all_devices(batch["song"])
        contexts = self._of_all_devices(contexts.float())
        # Partners first; what a network makes of a target to be told from it comes behind.
        own, made = (
            self._of_all_devices(part.float())
            for part in targets.split_with_sizes([size, len(targets) - size])
        )
        ignore = songs[:, None] == songs[None, :]
        ignore.fill_diagonal_(False)
        ignore = torch.nn.functional.pad(ignore, (0, len(made)))
        loss = self.network.loss(contexts, torch.cat([own, made]), ignore)
        how: dict[str, Any] = {"on_step": False, "on_epoch": True, "sync_dist": True}
        self.log("train/loss", loss, batch_size=size, prog_bar=True, **how)
        return loss

    def _of_all_devices(self, rows: torch.Tensor) -> torch.Tensor:
        """Put the rows of all devices below each other; gradients flow back to each."""
        if self.trainer.world_size == 1 or not len(rows):
            return rows
        gathered = self.all_gather(rows, sync_grads=rows.requires_grad)
        assert isinstance(gathered, torch.Tensor)
        return gathered.flatten(0, 1)
