"""What training on stems has in common: validation by retrieval, and a watch for collapse."""

from __future__ import annotations

from typing import Any

import torch
from pytorch_lightning.utilities import rank_zero_warn

from mashnet.errors import MashnetError
from mashnet.models.stems.collapse import spread
from mashnet.models.stems.scoring import StemNetwork, StemScorer
from mashnet.tasks.processes import gathered
from mashnet.tasks.scorer_task import ScorerTask

# What looks like a collapse: see `spread`. Untrained encoders have 19 dimensions and 0.5.
LEAST_RANK = 4.0
LEAST_DEVIATION = 0.02
FALLEN = 1 / 3  # of the best of a run: what looks like the way to a collapse


class StemTask(ScorerTask):
    """Validates a StemNetwork by the rank of each chunk's own target among all others."""

    network: StemNetwork

    def __init__(
        self, scorer: StemScorer, *, learning_rate: float, weight_decay: float, seed: int
    ) -> None:
        """Take the network through its Scorer; the seed decides what is random in a step."""
        super().__init__(scorer, learning_rate=learning_rate, weight_decay=weight_decay, seed=seed)
        self._validation: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []
        self._best_rank, self._best_deviation = 0.0, 0.0  # of the run so far

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the best spread of the run, which a resumed run is compared with."""
        checkpoint["best_spread"] = {"rank": self._best_rank, "deviation": self._best_deviation}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take up the best spread again; checkpoints from before it was kept have none."""
        best = checkpoint.get("best_spread", {"rank": 0.0, "deviation": 0.0})
        self._best_rank, self._best_deviation = best["rank"], best["deviation"]

    def validation_step(self, batch: dict[str, Any], batch_index: int) -> None:
        """Collect the embeddings of contexts and targets."""
        contexts = self.network.embed_context(batch["context"], batch["label"])
        targets = self.network.embed_target(batch["target"])
        self._validation.append(
            (contexts.float().cpu(), targets.float().cpu(), batch["song"].cpu())
        )

    def on_validation_epoch_end(self) -> None:
        """Log how retrieval goes, and whether embeddings still differ."""
        contexts, targets, songs = (
            gathered(torch.cat(column)) for column in zip(*self._validation, strict=True)
        )
        self._validation.clear()
        if self.trainer.sanity_checking:
            return
        if not (contexts.isfinite().all() and targets.isfinite().all()):
            raise MashnetError(
                f"training has diverged: after {self.global_step} steps the embeddings are not "
                f"finite; lower the learning rate, which is {self.learning_rate:g}"
            )
        share, first = retrieval_figures(contexts @ targets.T, songs)
        deviation, rank = spread(targets)
        figures = {
            "val/rank_share": share,
            "val/top_1": first,
            "val/embedding_deviation": deviation,
            "val/embedding_rank": rank,
        }
        self.log_dict(figures, prog_bar=True, sync_dist=True)
        self._warn_of_collapse(rank, deviation, len(targets))

    def _warn_of_collapse(self, rank: float, deviation: float, count: int) -> None:
        """Warn, once, when the spread of `count` embeddings is too small or has fallen."""
        found = f"after {self.global_step} steps they use {rank:.1f} dimensions"
        found += f" and their deviation is {deviation:.3f}"
        advice = "lower the learning rate, or start model=jepa from a contrastive run (init_from)"
        # A handful of chunks cannot span many dimensions.
        if rank < min(LEAST_RANK, (count - 1) / 2) or deviation < LEAST_DEVIATION:
            rank_zero_warn(
                f"embeddings collapse: {found}, where 1 is spread evenly; {advice}", stacklevel=1
            )
        elif rank < FALLEN * self._best_rank or deviation < FALLEN * self._best_deviation:
            rank_zero_warn(
                f"embeddings draw together: {found}, where at best they were "
                f"{self._best_rank:.1f} and {self._best_deviation:.3f}; {advice}",
                stacklevel=1,
            )
        self._best_rank = max(self._best_rank, rank)
        self._best_deviation = max(self._best_deviation, deviation)


def retrieval_figures(scores: torch.Tensor, songs: torch.Tensor) -> tuple[float, float]:
    """Measure how well each context finds its target among the targets of other songs.

    Args:
        scores: (n, n), the target of context i in column i.
        songs: song of each, (n,).

    Returns:
        The mean share of the others that stand before it (0 best, 0.5 chance), and how often none
        does. Ties count half.
    """
    own = scores.diagonal()[:, None]
    other = songs[:, None] != songs[None, :]
    before = ((scores > own) & other).sum(1) + 0.5 * ((scores == own) & other).sum(1)
    share = before / other.sum(1).clamp_min(1)
    return float(share.mean()), float((before < 0.5).float().mean())
