"""Ranks 40 vocals × 40 accompaniments with PreMixNet, plainly and factorised, in one process.

python -m benchmarks.ranking [scale=small] [n=40] [duration_s=6]

Plainly is what a program without the factorisation does: a whole forward pass of the network for
each pair, from log-mels that are computed once per stem (so that only the network is compared).
Factorised is `PreMixScorer`: encode n + m stems, then an addition and the head per pair.
Prints one JSON line. Weights are random: cost and agreement do not depend on them.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np
import torch
from omegaconf import OmegaConf

from mashnet.commands.hydra_program import CONFIGS
from mashnet.data.mashupdb import ROLES
from mashnet.data.parts import ArrayPart
from mashnet.models.loading import build_scorer
from mashnet.models.mixes.premixnet import PreMixScorer


def stem(seed: int, duration_s: float, sample_rate: int) -> ArrayPart:
    samples = np.random.default_rng(seed).standard_normal(round(duration_s * sample_rate))
    return ArrayPart((0.1 * samples).astype(np.float32), sample_rate)


@torch.inference_mode()
def rank_plainly(scorer: PreMixScorer, queries: list, candidates: list) -> torch.Tensor:
    """Return the scores (n, m) by one forward pass per pair, all windows of a pair in a batch."""
    mels = {
        (role, part.part_id): scorer.frontend.windows_of(scorer.frontend.log_mel_of([part]))
        for group in [*queries, *candidates]
        for role, part in group.items()
    }
    scores = torch.zeros(len(queries), len(candidates))
    for i, query in enumerate(queries):
        for j, candidate in enumerate(candidates):
            cut = {r: mels[r, p.part_id] for r, p in {**query, **candidate}.items()}
            posterior = scorer.network({r: windows for r, (windows, _) in cut.items()}).softmax(-1)
            weight = torch.stack([filled for _, filled in cut.values()]).amin(0)
            scores[i, j] = (posterior[:, 1] * weight).sum() / weight.sum()
    return scores


def main(arguments: list[str]) -> None:
    """Measure and print."""
    options = OmegaConf.merge(
        {"scale": "small", "n": 40, "duration_s": 6.0}, OmegaConf.from_cli(arguments)
    )
    scale = OmegaConf.load(CONFIGS / "scale" / f"{options.scale}.yaml").mixes
    torch.manual_seed(0)
    plain: Any = OmegaConf.to_container(scale)
    settings = {"network": "premixnet", "sizes": plain["sizes"], "frontend": plain["frontend"]}
    scorer = build_scorer(settings, name="premixnet")
    assert isinstance(scorer, PreMixScorer)
    rate = scorer.frontend.log_mel.sample_rate
    seeds = iter(range(3 * options.n))
    parts = {
        r: [stem(next(seeds), options.duration_s, rate) for _ in range(options.n)] for r in ROLES
    }
    queries = [{"vocal": part} for part in parts["vocal"]]
    candidates = [
        {"harmonic": h, "percussion": p}
        for h, p in zip(parts["harmonic"], parts["percussion"], strict=True)
    ]
    started_s = time.perf_counter()
    factorised = scorer.similarity(scorer.embed_query(queries), scorer.embed_candidate(candidates))
    factorised_s = time.perf_counter() - started_s
    started_s = time.perf_counter()
    plain = rank_plainly(scorer, queries, candidates)
    plain_s = time.perf_counter() - started_s
    result = {
        "pairs": options.n**2,
        "scale": options.scale,
        "plain_s": round(plain_s, 3),
        "factorised_s": round(factorised_s, 3),
        "ratio": round(plain_s / factorised_s, 1),
        "max_abs_diff": float((plain - factorised).abs().max()),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main(sys.argv[1:])
