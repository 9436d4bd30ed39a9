"""How cost grows with size: the exponent of a power law, fitted on logarithms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

TOLERANCE = 0.25  # an exponent further above what is expected is flagged
LEAST_S = 1e-6  # what a clock tells from nothing


@dataclass(frozen=True)
class PowerLaw:
    """cost ≈ factor · size ** exponent."""

    exponent: float
    factor: float

    def at(self, size: float) -> float:
        """Return the cost of a size."""
        return self.factor * size**self.exponent


def fit(sizes: Sequence[float], costs: Sequence[float], *, upper: int = 3) -> PowerLaw:
    """Fit by least squares on log-log, over the largest sizes: small ones measure what is constant.

    Args:
        sizes: rising.
        costs: of each size, seconds.
        upper: how many of the largest sizes count.

    Raises:
        ValueError: if there are fewer than two sizes, or the lengths differ.
    """
    if len(sizes) != len(costs) or len(sizes) < 2:
        raise ValueError(f"a fit needs two sizes or more, and a cost of each: {sizes}, {costs}")
    log_n = np.log(np.asarray(sizes[-upper:], float))
    log_c = np.log(np.maximum(np.asarray(costs[-upper:], float), LEAST_S))
    exponent, intercept = np.polyfit(log_n, log_c, 1)
    return PowerLaw(float(exponent), float(np.exp(intercept)))


def is_worse(exponent: float, expected: float) -> bool:
    """Return whether cost grows faster than it should."""
    return exponent > expected + TOLERANCE
