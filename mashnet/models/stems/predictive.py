"""What jepa and stem_jepa share: two encoders, a predictor, and how one follows the other.

Riou et al., "Stem-JEPA" (ISMIR 2024), section 3, with the settings of its published code.
"""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch.nn import functional
from torch.optim.swa_utils import get_ema_multi_avg_fn

from mashnet.errors import ConfigError
from mashnet.models.stems.predictor import Predictor
from mashnet.models.stems.scoring import Batch, StemNetwork
from mashnet.models.stems.vit import SAMPLE_RATE, Vit

EMA = (0.99995, 0.99999)  # the published rates, of runs of 300,000 steps


class PredictiveNetwork(StemNetwork):
    """Predicts, patch by patch, what a slowly moving encoder hears in the missing stem."""

    sample_rate = SAMPLE_RATE
    windows_meet: ClassVar[bool] = False

    def __init__(self, encoder: Vit, predictor: Predictor, ema: Sequence[float]) -> None:
        """Put the parts together; the target encoder begins as a copy of the encoder.

        Args:
            encoder: of contexts; the one that is trained.
            predictor: of target patches from context patches.
            ema: how much of the target encoder a step keeps, at the first and at the last step.

        Raises:
            ConfigError: if a rate is not between 0 and 1, or there are not two.
        """
        super().__init__()
        if len(ema) != 2 or not all(0 <= rate <= 1 for rate in ema):
            raise ConfigError(f"ema={list(ema)} must be two rates between 0 and 1")
        self.encoder = encoder
        self.target_encoder = copy.deepcopy(encoder).requires_grad_(False)
        self.predictor = predictor
        self.ema = (float(ema[0]), float(ema[1]))

    @abstractmethod
    def conditions(self, instruments: Sequence[str]) -> torch.Tensor | None:
        """Return what tells the predictor which instrument is missing, (n, c); None for nothing."""

    def forward(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Return predicted and wanted patches, both (n, patches, width).

        Args:
            batch: `context` and `target` (n, samples), `label` (n strings).
        """
        predicted = self.predict(batch["context"], batch["label"])
        with torch.no_grad():
            wanted = self.target_encoder(batch["target"])
        return predicted, wanted

    @staticmethod
    def loss(predicted: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        """Return the mean over patches of the squared distance of unit vectors, 0 to 4.

        The published code brings every wanted patch to zero mean and unit variance and then both
        sides to unit length, which takes the variance out again; the mean is what remains to be
        taken off. The squares are added up over the width, which gives 2 - 2 cos.
        """
        wanted = wanted.float() - wanted.float().mean(-1, keepdim=True)
        cosines = functional.cosine_similarity(predicted.float(), wanted, dim=-1)
        return (2 - 2 * cosines).mean()

    def ema_rate(self, step: int, total_steps: int) -> float:
        """Return how much of the target encoder a step keeps.

        The published schedule is a straight line over all steps. (Of the other two that the
        published code offers, the cosine is not its default, and `exp` is no interpolation.)

        Args:
            step: steps before this one.
            total_steps: of the run.
        """
        first, last = self.ema
        return first + (last - first) * min(1.0, step / max(1, total_steps))

    def update_target(self, step: int, total_steps: int) -> None:
        """Move the target encoder towards the encoder, after a step of the optimiser.

        The weights must be kept in full precision: a step changes the last digits only.

        Args:
            step: steps before this one: 0 the first time.
            total_steps: of the run.
        """
        follow = get_ema_multi_avg_fn(self.ema_rate(step, total_steps))
        follow(list(self.target_encoder.parameters()), list(self.encoder.parameters()), step)

    def predict(self, waves: torch.Tensor, instruments: Sequence[str]) -> torch.Tensor:
        """Map contexts (n, samples) to predictions of the target's patches, (n, patches, width)."""
        return self._predict(waves, self.conditions(instruments))

    def _predict(self, waves: torch.Tensor, condition: torch.Tensor | None) -> torch.Tensor:
        patches = self.encoder(waves)
        return self.predictor(patches, None if condition is None else condition.to(waves.device))

    def embed_context(self, waves: torch.Tensor, instruments: Sequence[str]) -> torch.Tensor:
        """Return what the missing stem should sound like, (batch, d), of unit length."""
        return self.embed_conditioned(waves, self.conditions(instruments))

    def embed_conditioned(
        self, waves: torch.Tensor, condition: torch.Tensor | None
    ) -> torch.Tensor:
        """Return what `embed_context` returns, given what `conditions` returns, (batch, c)."""
        return _unit(self.pool(self._predict(waves, condition)))

    def embed_target(self, waves: torch.Tensor) -> torch.Tensor:
        """Return what the target encoder hears, (batch, d), of unit length."""
        return _unit(self.pool(self.target_encoder(waves)))

    def pool(self, patches: torch.Tensor) -> torch.Tensor:
        """Put the patches (batch, patches, width) of a sound into one vector, (batch, d)."""
        return patches.mean(1)


def _unit(vectors: torch.Tensor) -> torch.Tensor:
    """Take the mean off, as the loss does, and bring (batch, d) to unit length."""
    return functional.normalize(vectors - vectors.mean(-1, keepdim=True), dim=-1)
