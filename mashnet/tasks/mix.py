"""Telling originals from unmatched mixes, with or without the unlabelled matched ones."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from scipy.stats import rankdata
from torch.nn import functional

from mashnet.data.mixes.view import UNLABELLED
from mashnet.errors import require_one_of
from mashnet.models.mixes.scoring import MixScorer
from mashnet.tasks.processes import gathered

UNLABELLED_CHOICES = ("none", "lsro", "pseudo")


def targets_of(labels: torch.Tensor, unlabelled: str, logits: torch.Tensor) -> torch.Tensor:
    """Return target distributions, (batch, 2), for labels 1, 0 and -1 (unlabelled).

    Args:
        labels: (batch,), see `mashnet.data.mixes.view`.
        unlabelled: `lsro` gives unlabelled examples (0.5, 0.5) (label smoothing regularisation
            for outliers; Zheng et al., ICCV 2017, as used by Huang et al., AAAI 2021, section
            4.3); `pseudo` gives them the class that the network itself prefers at the moment
            (the paper's pilot); `none` expects that there are no such examples.
        logits: the network's output, (batch, 2); read by `pseudo` only, never differentiated.

    Raises:
        ValueError: if `none` meets an unlabelled example; on a GPU, which does not wait for Python
            to ask, a RuntimeError of a later operation.
    """
    known = functional.one_hot(labels.clamp_min(0), 2).to(logits.dtype)
    missing = (labels == UNLABELLED).unsqueeze(-1)
    if unlabelled == "lsro":
        return torch.where(missing, torch.full_like(known, 0.5), known)
    if unlabelled == "pseudo":
        guessed = functional.one_hot(logits.detach().argmax(-1), 2).to(logits.dtype)
        return torch.where(missing, guessed, known)
    problem = "unlabelled=none was given unlabelled examples"
    if labels.device.type != "cpu":
        torch._assert_async(~missing.any(), problem)
    elif missing.any():
        raise ValueError(problem)
    return known


def balancing_weights(labels: torch.Tensor, batch: torch.Tensor | None = None) -> torch.Tensor:
    """Return a weight per example, (n,): those of a batch add up to 1, equally much per label.

    Args:
        labels: (n,).
        batch: labels of the whole batch, where `labels` are only a process's share of it.
    """
    # All are compared with all: of `unique` Python would have to ask a GPU how much it found.
    everybody = labels if batch is None else batch
    known = (1.0 / (everybody[:, None] == everybody).sum(1)).sum().round()
    return 1.0 / (known * (labels[:, None] == everybody).sum(1))


class MixTask(pl.LightningModule):
    """Trains PreMixNet or PostMixNet with Adam and cross-entropy (Huang et al., section 4.3)."""

    def __init__(self, scorer: MixScorer, *, unlabelled: str, learning_rate: float) -> None:
        """Take the network through its Scorer, and what to do with matched examples."""
        super().__init__()
        self.unlabelled = require_one_of("model.unlabelled", unlabelled, UNLABELLED_CHOICES)
        self.learning_rate = learning_rate
        # channels_last makes narrow convolutions more than twice as fast on CPU.
        self.network = scorer.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        # A Scorer holds its network in evaluation mode, and Lightning would leave it there: batch
        # normalisation would never normalise.
        self.network.train()
        self._validation: list[tuple[torch.Tensor, ...]] = []

    def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Return logits, (batch, 2)."""
        return self.network({name: batch[name] for name in self.network.inputs})  # type: ignore[union-attr, misc]

    def training_step(self, batch: dict[str, torch.Tensor], batch_index: int) -> torch.Tensor:
        """Return the cross-entropy of a batch of mixes, every label counting the same.

        Of several processes each returns its share, times their number: Lightning averages.
        """
        logits = self.network.judge(batch, batch["mixes"]).float()  # type: ignore[operator]
        labels = batch["label"]
        targets = targets_of(labels, self.unlabelled, logits)
        everybody = self.all_gather(labels).flatten()  # type: ignore[union-attr]
        weights = balancing_weights(labels, everybody) * self.trainer.world_size
        loss = (functional.cross_entropy(logits, targets, reduction="none") * weights).sum()
        known = weights * (labels != UNLABELLED)
        known_share = (balancing_weights(everybody) * (everybody != UNLABELLED)).sum()
        accuracy = ((logits.argmax(-1) == labels) * known).sum() / known_share
        how: dict[str, Any] = {"on_step": False, "on_epoch": True, "sync_dist": True}
        self.log("train/loss", loss, batch_size=labels.shape[0], prog_bar=True, **how)
        self.log("train/accuracy", accuracy, batch_size=labels.shape[0], **how)
        return loss

    def validation_step(self, batch: dict[str, torch.Tensor], batch_index: int) -> None:
        """Collect the posteriors of a batch of windows."""
        posterior = self(batch).float().softmax(-1)[:, 1]
        self._validation.append((batch["mix_index"].cpu(), batch["label"].cpu(), posterior.cpu()))

    def on_validation_epoch_end(self) -> None:
        """Log what `validation_figures` makes of the whole validation set."""
        mixes, labels, posteriors = (
            gathered(torch.cat(column)) for column in zip(*self._validation, strict=True)
        )
        self._validation.clear()
        if not self.trainer.sanity_checking:
            figures = validation_figures(mixes, labels, posteriors)
            named = {f"val/{name}": value for name, value in figures.items()}
            self.log_dict(named, prog_bar=True, sync_dist=True)

    def configure_optimizers(self) -> Any:
        """Return Adam over the network; its rate rises briefly, then falls along half a cosine.

        The paper keeps it constant. On few songs the validation figures then swing from epoch to
        epoch, and the best checkpoint is the luckiest.
        """
        optimizer = torch.optim.Adam(self.network.parameters(), lr=self.learning_rate)
        steps = max(1, int(self.trainer.estimated_stepping_batches))
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, self.learning_rate, steps, pct_start=0.05, cycle_momentum=False
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }


def validation_figures(
    mixes: torch.Tensor, labels: torch.Tensor, posteriors: torch.Tensor
) -> dict[str, Any]:
    """Average windows to mixes and measure them.

    Args:
        mixes: which mix each window is of, (windows,).
        labels: label of each window's mix, (windows,).
        posteriors: posterior of each window, (windows,).

    Returns:
        average_rank: mean rank of each original among all mixes that are none, matched and
        unmatched (1 is best, ties are averaged; matched ones alone are too few to choose a
        checkpoint by); average_rank_share: the same from 0 (first) to 1 (last), which can be
        compared between data sets; matched_rank_share: that among matched mixes only, as in the
        paper; loss and accuracy over originals and unmatched mixes.
    """
    count = int(mixes.max()) + 1
    windows = torch.zeros(count).index_add_(0, mixes, torch.ones_like(posteriors))
    score = torch.zeros(count).index_add_(0, mixes, posteriors) / windows
    label = torch.zeros(count, dtype=labels.dtype).index_copy_(0, mixes, labels)
    original, matched, unmatched = (score[label == wanted] for wanted in (1, UNLABELLED, 0))
    others = torch.cat([matched, unmatched])
    average_rank, matched_rank = (_average_rank(original, pool) for pool in (others, matched))
    judged = torch.cat([original, unmatched]).clamp(1e-6, 1 - 1e-6)
    truth = torch.cat([torch.ones_like(original), torch.zeros_like(unmatched)])
    return {
        "average_rank": average_rank,
        "average_rank_share": (average_rank - 1) / max(1, len(others)),
        "matched_rank_share": (matched_rank - 1) / max(1, len(matched)),
        "loss": functional.binary_cross_entropy(judged, truth),
        "accuracy": ((judged > 0.5) == (truth > 0.5)).float().mean(),
    }


def _average_rank(scores: torch.Tensor, pool: torch.Tensor) -> float:
    ranks = [rankdata([-s, *(-pool).tolist()], method="average")[0] for s in scores.tolist()]
    return sum(map(float, ranks)) / max(1, len(ranks))
