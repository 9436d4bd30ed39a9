"""The predictor of a joint-embedding architecture: from a context's patch to the missing stem's."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from mashnet.errors import ConfigError, require_one_of

CONDITIONINGS = ("film", "concat", "none")


class Predictor(nn.Module):
    """Dense layers with ReLU between them and LayerNorm at the end, on every patch by itself.

    What is looked for enters in one of three ways: film scales and shifts the outcome of every
    dense layer by numbers that one linear map per layer makes of the condition (Perez et al.,
    AAAI 2018; it begins as the identity); concat puts the condition behind the patch before the
    first layer; none leaves it out.
    """

    def __init__(
        self,
        *,
        width: int = 768,
        hidden: int = 1024,
        layers: int = 6,
        conditioning: str = "film",
        condition_width: int = 384,
    ) -> None:
        """Set the sizes; the defaults are the paper's.

        Args:
            width: of a patch, in and out.
            hidden: of what lies between the dense layers.
            layers: number of dense layers.
            conditioning: film, concat or none.
            condition_width: length of a condition.

        Raises:
            ConfigError: if there is no such conditioning, or no hidden layer.
        """
        super().__init__()
        self.conditioning = require_one_of("conditioning", conditioning, CONDITIONINGS)
        if layers < 2 or hidden < 1:
            raise ConfigError(f"layers={layers} must be at least 2, hidden={hidden} at least 1")
        extra = condition_width if conditioning == "concat" else 0
        ins = [width + extra] + [hidden] * (layers - 1)
        outs = [hidden] * (layers - 1) + [width]
        self.dense = nn.ModuleList(map(nn.Linear, ins, outs))
        self.norm = nn.LayerNorm(width)
        self.films = nn.ModuleList()
        if conditioning == "film":
            self.films.extend(nn.Linear(condition_width, 2 * out) for out in outs)
            for film in self.films.parameters():
                nn.init.zeros_(film)

    def forward(self, patches: torch.Tensor, condition: torch.Tensor | None) -> torch.Tensor:
        """Map patches (n, patches, width) to predictions of the same shape.

        Args:
            patches: what the context encoder heard.
            condition: what is looked for, (n, condition_width); nothing reads it where
                conditioning is none.
        """
        x = patches
        if self.conditioning == "concat":
            assert condition is not None
            behind = condition.to(x.dtype)[:, None].expand(-1, x.shape[1], -1)
            x = torch.cat([x, behind], dim=-1)
        for index, dense in enumerate(self.dense):
            if index:
                x = functional.relu(x)
            x = dense(x)
            if self.conditioning == "film":
                scale, shift = self.films[index](condition)[:, None].chunk(2, dim=-1)
                x = x * (1 + scale) + shift
        return self.norm(x)
