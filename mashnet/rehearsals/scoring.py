"""A rehearsal of what a Scorer computes on a GPU that is not there, from sounds to scores."""

from __future__ import annotations

import numpy as np
import torch

from mashnet.data.parts import ArrayPart, Query
from mashnet.models.trained import TrainedScorer
from mashnet.rehearsals.fake_gpu import GPU, fake_gpu


def rehearse_scoring(scorer: TrainedScorer) -> torch.Tensor:
    """Score two candidates for a query on a fake GPU.

    Args:
        scorer: its network is moved to the fake GPU; it is of no use afterwards.

    Returns:
        The scores, (2,), without numbers: here they would have to become Python's.

    Raises:
        RuntimeError: for what would be an error on a GPU, or would make it wait for Python.
    """
    samples = round(scorer.probe_s * scorer.frontend.sample_rate)
    noise = np.random.default_rng(0).standard_normal((2, samples), np.float32) / 10
    one, other = (ArrayPart(row, scorer.frontend.sample_rate) for row in noise)
    query = Query({scorer.roles[0]: one}, instrument="bass")
    candidates = [{role: part for role in scorer.roles[1:]} for part in (one, other)]
    with fake_gpu():
        scorer.network.to(GPU)
        scores: torch.Tensor = scorer.score(query, candidates)
    return scores
