"""The CNN of the Neural Loop Combiner: judges two loops from their mix (Chen et al., 2020)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from mashnet.data.parts import Group
from mashnet.models.loops.layers import LoopNetwork
from mashnet.models.loops.scoring import BATCH, LoopScorer, loop_of


class LoopCnn(LoopNetwork):
    """The skeleton and one output.

    Input: `{"mix": log-mel (batch, frames, n_mels)}` of 0.5 a + 0.5 b. Output: logits (batch,),
    whose sigmoid is the posterior that the two loops are of one song.
    """

    inputs = ("mix",)

    def __init__(self, **sizes: Any) -> None:
        """Set the sizes as `LoopNetwork` does."""
        super().__init__(**sizes)
        last: Any = self.skeleton.dense[-1].out_features
        self.output = nn.Sequential(
            nn.BatchNorm1d(last), nn.PReLU(), nn.Linear(last, 1), nn.Flatten(0)
        )

    def forward(self, mels: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return logits (batch,)."""
        return self.output(self.skeleton(mels["mix"]))

    @staticmethod
    def loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the binary cross-entropy of logits (batch,) with labels 1 (fits) and 0."""
        return functional.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype))

    @staticmethod
    def scores(logits: torch.Tensor) -> torch.Tensor:
        """Return how well pairs fit, (batch,); above 0 they are judged to fit."""
        return logits


class LoopCnnScorer(LoopScorer):
    """Every pair is a mix of its own, so every pair costs a whole pass."""

    network_class = LoopCnn
    is_probability = True
    network: LoopCnn

    @torch.inference_mode()
    def score(self, query: Group, candidates: Sequence[Group]) -> torch.Tensor:
        """Return the posterior that each candidate fits, (candidates,), in [0, 1]."""
        one = loop_of(query)
        posteriors = []
        for start in range(0, len(candidates), BATCH):
            mels = [
                self.frontend.log_mel_of([one, loop_of(candidate)], self.device)
                for candidate in candidates[start : start + BATCH]
            ]
            posteriors.append(self.network({"mix": torch.stack(mels)}).sigmoid())
        return torch.cat(posteriors) if posteriors else torch.zeros(0)
