"""Training of PlaceNet: a lead finds its own backing among others, and among itself moved.

Vectors choose among all backings of the batch and the lead's own where it does not belong. The
joint head then chooses among those that the vectors find hardest, and corrects them.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

from mashnet.data.phrases.phrase import Phrases, joined
from mashnet.models.phrases.placenet import PlaceNet
from mashnet.models.phrases.scoring import PhraseScorer
from mashnet.models.phrases.terms import START, vectors_of
from mashnet.tasks.processes import gathered
from mashnet.tasks.scorer_task import ScorerTask
from mashnet.tasks.stem import retrieval_figures

# Of squares of what weights of terms have moved: a hundred songs say little about eleven numbers.
PULL = 0.003
HARDEST = 9  # wrong backings that the joint head hears beside the right one


class PhraseTask(ScorerTask):
    """Trains and validates a PlaceNet."""

    network: PlaceNet

    def __init__(
        self, scorer: PhraseScorer, *, learning_rate: float, weight_decay: float, seed: int
    ) -> None:
        """Take the network through its Scorer; the seed decides what is random in a step."""
        super().__init__(scorer, learning_rate=learning_rate, weight_decay=weight_decay, seed=seed)
        self._leads: dict[int, tuple[torch.Tensor, int]] = {}  # sums of an epoch, and how many
        self._phrases: list[tuple[Phrases, Phrases, torch.Tensor]] = []

    def training_step(self, batch: dict[str, Any], batch_index: int) -> torch.Tensor:
        """Return the loss of both heads, as many steps of each."""
        self.begin_step()
        lead, backing = batch["lead"], batch["backing"]
        songs = batch["song"]
        terms = vectors_of(lead)
        self._remember(lead, terms)
        vectors = self.network.weighed(terms, lead)
        offered = joined([backing, batch["moved"]])
        scores = vectors @ self.network.backing(offered).T
        size = len(lead)
        # A backing of the same song is no other, and moved ones are for their own lead only.
        other = songs[:, None] != songs[None, :]
        own = torch.eye(size, dtype=torch.bool, device=scores.device)
        scores = scores.masked_fill(~torch.cat([other | own, own], 1), -torch.inf)
        partners = torch.arange(size, device=scores.device)
        loss = functional.cross_entropy(scores, partners)
        start = torch.tensor(list(START.values()), device=scores.device)
        loss = loss + PULL * (self.network.weights - start).square().sum()
        how: dict[str, Any] = {"on_step": False, "on_epoch": True, "batch_size": size}
        if self.network.joint is not None:
            joint = self._of_hardest(lead, offered, scores.detach())
            self.log("train/joint_loss", joint, **how)
            self.log("train/vector_loss", loss, **how)
            loss = loss + joint
        self.log("train/loss", loss, prog_bar=True, **how)
        return loss

    @torch.no_grad()
    def _remember(self, lead: Phrases, terms: list[torch.Tensor]) -> None:
        """Add leads to what all leads of this epoch have in common."""
        if self.network.common(lead) is not None:
            total, count = self._leads.get(lead.bars, (0.0, 0))
            vectors = torch.cat(terms, 1)
            self._leads[lead.bars] = total + vectors.sum(0), count + len(lead)

    def on_validation_epoch_start(self) -> None:
        """Tell the network what the leads of the epoch had in common; weights are kept with it."""
        for bars, (total, count) in self._leads.items():
            mean = gathered((total / count)[None].cpu()).mean(0)
            getattr(self.network, f"common_{bars}").copy_(mean)
        self._leads.clear()

    def _of_hardest(self, lead: Phrases, offered: Phrases, scores: torch.Tensor) -> torch.Tensor:
        """Return the joint head's loss: a lead's own among those most like it by vectors."""
        size = len(lead)
        own = torch.arange(size, device=scores.device)
        count = min(HARDEST, scores.shape[1] - 1)
        wrong = scores.clone()
        wrong[own, own] = -torch.inf
        chosen = torch.cat([own[:, None], wrong.topk(count, dim=1).indices], 1)
        leads = own.repeat_interleave(count + 1)
        corrections = self.network.correction(lead[leads], offered[chosen.flatten()])
        logits = scores.gather(1, chosen) + corrections.view(size, -1)
        return functional.cross_entropy(logits, torch.zeros_like(own))

    def validation_step(self, batch: dict[str, Any], batch_index: int) -> None:
        """Collect phrases."""
        self._phrases.append((batch["lead"], batch["backing"], batch["song"]))

    def on_validation_epoch_end(self) -> None:
        """Log how well leads find their backings among all, by vectors and by both heads."""
        leads, backings, songs = zip(*self._phrases, strict=True)
        self._phrases.clear()
        lead, backing = joined(leads), joined(backings)
        vectors = gathered(self.network.lead(lead))
        others = gathered(self.network.backing(backing))
        numbers = gathered(torch.cat(songs))
        if self.trainer.sanity_checking:
            return
        scores = (vectors @ others.T).cpu()
        share, first = retrieval_figures(scores, numbers.cpu())
        self.log_dict({"val/rank_share": share, "val/top_1": first}, prog_bar=True, sync_dist=True)
