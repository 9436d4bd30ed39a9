"""What trainings of Scorers by retrieval have in common: the seed of a step, and AdamW."""

from __future__ import annotations

import math
from typing import Any

import pytorch_lightning as pl
import torch
from torch import nn

from mashnet.models.trained import TrainedScorer

WARMUP = 20_000 / 300_000  # of all steps, as published with Stem-JEPA
BETAS = (0.9, 0.95)  # likewise


class ScorerTask(pl.LightningModule):
    """Trains the network of a Scorer."""

    network: nn.Module

    def __init__(
        self, scorer: TrainedScorer, *, learning_rate: float, weight_decay: float, seed: int
    ) -> None:
        """Take the network through its Scorer; the seed decides what is random in a step."""
        super().__init__()
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.seed = seed
        self.network = scorer.network
        # A Scorer holds its network in evaluation mode, and Lightning would leave it there.
        self.network.train()

    def begin_step(self) -> None:
        """Seed torch by run, step and device.

        What is drawn in a step then does not depend on how often the run was interrupted. Several
        devices draw differently from one, and from each other.
        """
        torch.manual_seed((self.seed * 1_000_003 + self.global_step) * 1009 + self.global_rank)

    def configure_optimizers(self) -> Any:
        """Return AdamW; its rate rises over the first steps, then falls along half a cosine."""
        trained = [p for p in self.network.parameters() if p.requires_grad]
        # Scales, biases and temperatures are not drawn to zero.
        matrices = [p for p in trained if p.ndim > 1]
        others = [p for p in trained if p.ndim <= 1]
        groups = [
            {"params": matrices, "weight_decay": self.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, lr=self.learning_rate, betas=BETAS)
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: rate_share(step, steps)
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }


def rate_share(step: int, total_steps: int) -> float:
    """Return the share of the learning rate that a step gets.

    It rises in a straight line over the first fifteenth and falls along half a cosine.

    Args:
        step: steps before this one.
        total_steps: of the run.
    """
    rising = max(1, round(WARMUP * total_steps))
    if step < rising:
        return (step + 1) / rising
    return 0.5 + 0.5 * math.cos(math.pi * (step + 1 - rising) / max(1, total_steps + 1 - rising))
