"""A joint-embedding predictive architecture that is told in words which stem is missing.

Riou et al., "Zero-shot Musical Stem Retrieval with Joint-Embedding Predictive Architectures"
(ICASSP 2025), phase 2; phase 1 is `contrastive`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from mashnet.errors import CheckpointError
from mashnet.models.stems.predictive import EMA, PredictiveNetwork
from mashnet.models.stems.predictor import Predictor
from mashnet.models.stems.scoring import StemScorer
from mashnet.models.stems.text import text_encoder
from mashnet.models.stems.vit import Vit

UNKNOWN = "music"  # what is looked for where nobody said


class Jepa(PredictiveNetwork):
    """Free text → frozen text encoder → predictor; an instrument never seen needs no training."""

    def __init__(
        self,
        *,
        width: int = 768,
        depth: int = 12,
        hidden: int = 1024,
        layers: int = 6,
        conditioning: str = "film",
        text: str = "minilm",
        text_weights: str | None = None,
        ema: Sequence[float] = EMA,
    ) -> None:
        """Set the sizes; the defaults are the paper's (scale=paper) but for the text encoder.

        Args:
            width: of the encoder's tokens, a multiple of 64.
            depth: number of its transformer blocks.
            hidden: width of the predictor's hidden layers.
            layers: number of the predictor's dense layers.
            conditioning: film, concat or none.
            text: minilm, whose weights come with its package, or clap, the paper's.
            text_weights: of clap: a local folder or a hub id; None takes LAION's music checkpoint.
            ema: how much of the target encoder a step keeps, at the first and at the last step.

        Raises:
            ConfigError: if these are impossible, or CLAP's weights cannot be had.
        """
        encoder = Vit(width=width, depth=depth)
        known = text_encoder(text, text_weights)
        predictor = Predictor(
            width=width,
            hidden=hidden,
            layers=layers,
            conditioning=conditioning,
            condition_width=0 if conditioning == "none" else known.dimension,
        )
        super().__init__(encoder, predictor, ema)
        self.text = known

    def conditions(self, instruments: Sequence[str]) -> torch.Tensor | None:
        """Return embeddings of the instruments, (n, c); "" is looked for as "music".

        Raises:
            ConfigError: if a text is nothing but blanks.
        """
        if self.predictor.conditioning == "none":
            return None
        return self.text.embed([instrument or UNKNOWN for instrument in instruments])

    def load_encoder(self, state: Mapping[str, torch.Tensor]) -> None:
        """Begin both encoders with the weights of phase 1.

        Args:
            state: the state of a Contrastive.

        Raises:
            CheckpointError: if its encoder has other sizes, or there is none in it.
        """
        given = {
            name.removeprefix("encoder."): value
            for name, value in state.items()
            if name.startswith("encoder.")
        }
        if "embed.weight" not in given:
            raise CheckpointError(
                "init_from holds no encoder of phase 1: name a run or bundle of model=contrastive"
            )
        width = len(given["embed.weight"])
        depth = len({name.split(".")[1] for name in given if name.startswith("blocks.")})
        if (width, depth) != (self.encoder.width, self.encoder.depth):
            raise CheckpointError(
                f"the encoder of init_from has width {width} and depth {depth}, this model's has "
                f"width {self.encoder.width} and depth {self.encoder.depth}: "
                "train both with the same scale"
            )
        try:
            self.encoder.load_state_dict(given)
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:200]
            raise CheckpointError(f"the encoder of init_from is another one: {reason}") from error
        self.target_encoder.load_state_dict(given)


class JepaScorer(StemScorer):
    """Cosine of what is predicted for the missing stem and what the target encoder hears."""

    network_class = Jepa
