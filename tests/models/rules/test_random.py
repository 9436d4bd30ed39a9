from __future__ import annotations

import numpy as np
import torch

from mashnet.data.parts import ArrayPart
from mashnet.models.rules.random import RandomScorer
from mashnet.scoring import Scorer


def part(seed):
    return ArrayPart(np.random.default_rng(seed).standard_normal(100).astype(np.float32), 16_000)


CANDIDATES = [{"harmonic": part(i), "percussion": part(i + 1)} for i in range(300)]
QUERY = {"vocal": part(-1 % 1000)}


def test_scores_are_spread_evenly_over_the_unit_interval():
    scores = RandomScorer().score(QUERY, CANDIDATES)
    assert scores.shape == (300,)
    counts = torch.histc(scores, bins=5, min=0, max=1)
    assert counts.sum() == 300
    assert (counts > 35).all()  # 60 expected, standard deviation 7


def test_a_score_depends_on_the_parts_and_on_nothing_else():
    scorer = RandomScorer()
    assert isinstance(scorer, Scorer)
    together = scorer.score(QUERY, CANDIDATES)
    alone = torch.cat([scorer.score(dict(QUERY), [c]) for c in CANDIDATES[:20]])
    assert torch.equal(together[:20], alone)
    swapped = [{"harmonic": c["percussion"], "percussion": c["harmonic"]} for c in CANDIDATES[:20]]
    assert not torch.isclose(scorer.score(QUERY, swapped), together[:20]).any()
    assert not torch.isclose(RandomScorer(seed=1).score(QUERY, CANDIDATES), together).all()
