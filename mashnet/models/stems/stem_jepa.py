"""The baseline of jepa: the predictor is told a class, not a text, and there is no phase 1.

Riou et al., "Stem-JEPA: A Joint-Embedding Predictive Architecture for Musical Stem Compatibility
Estimation" (ISMIR 2024).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from mashnet.errors import ConfigError
from mashnet.models.stems.predictive import EMA, PredictiveNetwork
from mashnet.models.stems.predictor import Predictor
from mashnet.models.stems.scoring import StemScorer
from mashnet.models.stems.vit import Vit, by_time

OTHER = "other"


class StemJepa(PredictiveNetwork):
    """One learned vector per class of instruments, put behind every patch of the context.

    An embedding is the mean over time; the five patches of a moment stay apart, as in the
    published evaluation (3840 numbers where tokens have 768).
    """

    def __init__(
        self,
        *,
        width: int = 768,
        depth: int = 12,
        hidden: int = 1024,
        layers: int = 6,
        classes: Sequence[str] = ("bass", "drums", "other", "vocals"),
        ema: Sequence[float] = EMA,
    ) -> None:
        """Set the sizes; the defaults are the paper's (scale=paper).

        Args:
            width: of the encoder's tokens, and of a class's vector; a multiple of 64.
            depth: number of transformer blocks.
            hidden: width of the predictor's hidden layers.
            layers: number of the predictor's dense layers.
            classes: names of instruments that have a vector of their own. All others share that
                of the class "other"; without such a class there is one more vector for them.
            ema: how much of the target encoder a step keeps, at the first and at the last step.

        Raises:
            ConfigError: if these are impossible.
        """
        names = [_plain(name) for name in classes]
        if not names or "" in names or len(set(names)) < len(names):
            raise ConfigError(f"classes={list(classes)} must be different names")
        predictor = Predictor(
            width=width,
            hidden=hidden,
            layers=layers,
            conditioning="concat",
            condition_width=width,
        )
        super().__init__(Vit(width=width, depth=depth), predictor, ema)
        self.classes = names if OTHER in names else [*names, OTHER]
        self.class_vectors = nn.Embedding(len(self.classes), width)

    def class_of(self, instrument: str) -> str:
        """Return the class of an instrument's name or path, like "guitar/lead guitar".

        The whole name counts first, then its parts from the finest; what has no class, and what
        is not said, is "other".
        """
        whole = _plain(instrument)
        for name in (whole, *map(_plain, reversed(whole.split("/")))):
            if name in self.classes:
                return name
        return OTHER

    def conditions(self, instruments: Sequence[str]) -> torch.Tensor:
        """Return the vectors of the instruments' classes, (n, width)."""
        indices = [self.classes.index(self.class_of(instrument)) for instrument in instruments]
        return self.class_vectors(torch.tensor(indices, device=self.class_vectors.weight.device))

    def pool(self, patches: torch.Tensor) -> torch.Tensor:
        """Average patches (batch, 5 * T, width) over time, (batch, 5 * width)."""
        return by_time(patches).mean(1)


class StemJepaScorer(StemScorer):
    """Cosine of what is predicted for the missing stem and what the target encoder hears."""

    network_class = StemJepa


def _plain(name: str) -> str:
    return " ".join(name.casefold().split())
