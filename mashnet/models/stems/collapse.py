"""Whether embeddings still differ: how a collapse of a learned space is seen early."""

from __future__ import annotations

import math

import torch
from torch.nn import functional

_NOISE = 1e-6  # singular values below this share of the vectors' length are rounding


def spread(embeddings: torch.Tensor) -> tuple[float, float]:
    """Measure how far embeddings are from being all alike.

    Args:
        embeddings: (n, d), any length; their directions count.

    Returns:
        * the standard deviation of the unit vectors' coordinates, averaged over the dimensions,
          times the root of d: 1 for vectors spread evenly over the sphere, 0 after a complete
          collapse;
        * the effective rank of the centred unit vectors (Roy & Vetterli, EUSIPCO 2007): the
          exponential of the entropy of the singular values, brought to sum one. About how many
          dimensions are in use: at most min(n - 1, d), 1 after a collapse to a line, 0 after a
          complete one.
    """
    count, dimension = embeddings.shape
    units = functional.normalize(embeddings.detach().double(), dim=1)
    centred = units - units.mean(0)
    deviation = float(centred.square().mean(0).sqrt().mean()) * math.sqrt(dimension)
    values = torch.linalg.svdvals(centred)
    values = values[values > _NOISE * math.sqrt(count)]
    if not len(values):
        return deviation, 0.0
    shares = values / values.sum()
    return deviation, float(torch.exp(-(shares * shares.log()).sum()))
