"""Telling pairs of loops that sound together in a song from pairs that do not."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from sklearn.metrics import roc_auc_score

from mashnet.models.loops.layers import Dropout
from mashnet.models.loops.scoring import LoopScorer
from mashnet.tasks.processes import gathered

MOMENTUM = 0.9
EPOCHS_PER_STEP = 8  # after as many the rate falls tenfold, as in the published code
DECAY = 0.1


class LoopTask(pl.LightningModule):
    """Trains the loop CNN (binary cross-entropy) or the Siamese network (contrastive loss).

    Stochastic gradient descent (Chen et al., ISMIR 2020, section 4); the paper names neither
    momentum nor schedule: 0.9, and a rate that falls tenfold every eight epochs.
    """

    def __init__(self, scorer: LoopScorer, *, learning_rate: float, seed: int) -> None:
        """Take the network through its Scorer; the seed decides what dropout drops."""
        super().__init__()
        self.learning_rate = learning_rate
        self.seed = seed
        self.network = scorer.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        # A Scorer holds its network in evaluation mode, and Lightning would leave it there.
        self.network.train()
        self._validation: list[tuple[torch.Tensor, torch.Tensor]] = []

    def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Return logits or distances, (batch,)."""
        return self.network({name: batch[name] for name in self.network.inputs})  # type: ignore[union-attr, misc]

    def training_step(self, batch: dict[str, torch.Tensor], batch_index: int) -> torch.Tensor:
        """Return the loss of a batch of pairs.

        What dropout drops depends on the seed and the step alone, so that a resumed run drops what
        the undisturbed one would have dropped. On CPU processes that share a batch drop what one
        process would have dropped; on GPUs each draws for itself.
        """
        rank = 0 if self.device.type == "cpu" else self.global_rank
        torch.manual_seed((self.seed + 1009 * rank) * 1_000_003 + self.global_step)
        return self._step(batch, "train")

    def on_fit_start(self) -> None:
        """Tell dropout which part of a batch it sees: the network hears all inputs in one pass."""
        for module in self.network.modules():
            if isinstance(module, Dropout):
                module.sees(self.global_rank, self.trainer.world_size, len(self.network.inputs))  # type: ignore[arg-type]

    def validation_step(self, batch: dict[str, torch.Tensor], batch_index: int) -> None:
        """Log loss and accuracy of the validation pairs, and collect their scores."""
        self._step(batch, "val")

    def on_validation_epoch_end(self) -> None:
        """Log which share of the negatives stands before a pair that fits, on average.

        The checkpoint is chosen by it: the loss rises as soon as a network is too sure of itself,
        long before it ranks worse.
        """
        scores, labels = (
            gathered(torch.cat(column)) for column in zip(*self._validation, strict=True)
        )
        self._validation.clear()
        if not self.trainer.sanity_checking:
            share = 1 - roc_auc_score((labels == 1).numpy(), scores.numpy())
            self.log("val/rank_share", share, prog_bar=True, sync_dist=True)

    def _step(self, batch: dict[str, torch.Tensor], stage: str) -> torch.Tensor:
        out, labels = self(batch).float(), batch["label"]
        loss: torch.Tensor = self.network.loss(out, labels)  # type: ignore[operator]
        scores = self.network.scores(out).detach()  # type: ignore[operator]
        accuracy = ((scores > 0) == (labels == 1)).float().mean()
        figures = {f"{stage}/loss": loss, f"{stage}/accuracy": accuracy}
        how: dict[str, Any] = {"on_step": False, "on_epoch": True, "sync_dist": True}
        self.log_dict(figures, batch_size=len(labels), prog_bar=True, **how)
        if stage == "val":
            self._validation.append((scores.cpu(), labels.cpu()))
        return loss

    def configure_optimizers(self) -> Any:
        """Return stochastic gradient descent and its schedule."""
        optimizer = torch.optim.SGD(
            self.network.parameters(), lr=self.learning_rate, momentum=MOMENTUM
        )
        schedule = torch.optim.lr_scheduler.StepLR(optimizer, EPOCHS_PER_STEP, DECAY)
        return {"optimizer": optimizer, "lr_scheduler": schedule}
