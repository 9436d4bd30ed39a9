"""How long AutoMashUpper's rule takes: encoding a part, and comparing pairs once that is done.

python -m benchmarks.automashupper [n=60] [duration_s=45]

Parts are clicks and chords on a beat, each at a tempo of its own. Prints one JSON line: seconds to
encode a part, milliseconds per pair of an n × n table, and minutes that 1,000 × 1,000 pairs take
at that rate.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
from omegaconf import OmegaConf

from mashnet.data.parts import ArrayPart, Group
from mashnet.models.rules.automashupper import AutomashupperScorer

RATE = 16_000


def part(seed: int, duration_s: float) -> ArrayPart:
    """Return chords of three tones that decay on every beat."""
    random = np.random.default_rng(seed)
    time_s = np.arange(round(duration_s * RATE)) / RATE
    beat_s = 60 / random.uniform(80, 150)
    tones_hz = 110 * 2 ** (random.integers(0, 36, 3) / 12)
    wave = np.sin(2 * np.pi * tones_hz[:, None] * time_s).sum(0) * np.exp(-6 * (time_s % beat_s))
    return ArrayPart((0.1 * wave).astype(np.float32), RATE)


def main(arguments: list[str]) -> None:
    """Measure and print."""
    options = OmegaConf.merge({"n": 60, "duration_s": 45.0}, OmegaConf.from_cli(arguments))
    seeds = range(options.n)
    queries: list[Group] = [{"vocal": part(s, options.duration_s)} for s in seeds]
    candidates: list[Group] = [{"harmonic": part(s + 1000, options.duration_s)} for s in seeds]
    scorer = AutomashupperScorer()
    began_s = time.perf_counter()
    first, second = scorer.embed_query(queries), scorer.embed_candidate(candidates)
    encoded_s = time.perf_counter() - began_s
    began_s = time.perf_counter()
    scorer.similarity(first, second)
    compared_s = time.perf_counter() - began_s
    pair_ms = 1000 * compared_s / options.n**2
    result = {
        "parts": 2 * options.n,
        "duration_s": options.duration_s,
        "encode_s_per_part": round(encoded_s / (2 * options.n), 4),
        "pair_ms": round(pair_ms, 3),
        "thousand_by_thousand_min": round(pair_ms * 1e6 / 60_000, 1),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main(sys.argv[1:])
