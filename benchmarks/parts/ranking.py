"""All n × n pairs of two sides, by each Scorer and by the plain loop.

The plain loop is what a program does that knows no more than `score(query, [candidate])`: both
sides are encoded anew for every pair. Scorers with embeddings encode each side once and compare
embeddings. What would take longer than a few seconds is measured on a part and the rest is
calculated: the encodings on the first of the sides, the comparison on the first rows, the loop on
some pairs. The table says which. Weights are random: cost does not depend on them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import OmegaConf

from benchmarks.automashupper import part as chords
from benchmarks.measuring import Row, measure, row
from mashnet.commands.hydra_program import CONFIGS
from mashnet.data.parts import ArrayPart, Group
from mashnet.models import scorers
from mashnet.models.loading import build_scorer
from mashnet.models.loops.scoring import LoopScorer
from mashnet.models.mixes.scoring import MixScorer
from mashnet.models.networks import NETWORKS, scorer_class_of
from mashnet.models.scorer import EmbeddingScorer

SIZES = {"quick": (4,), "full": (20, 100, 500)}
RULES = ("random", "keytempo", "alignment", "automashupper")
PART_S = 6.0
RATE = 16_000
BUDGET_S = {"quick": 0.2, "full": 2.5}  # of each of the three measurements, for each n
DISTINCT = 20  # sounds of each role; more are copies, which cost the same


def measure_part(scale: str, folder: Path) -> list[Row]:
    """Measure every Scorer that needs no weights of others, in a process of its own."""
    rows: list[Row] = []
    for name in (*RULES, *NETWORKS.names()):
        rows += measure(partial(_rank, name, scale), name)
    return rows


def _rank(name: str, scale: str) -> list[Row]:
    scorer = scorer_named(name)
    rows = []
    for size in SIZES[scale]:
        queries, candidates = sides(scorer, size)
        scorer.score(queries[0], candidates[:1])  # what is loaded once is not counted
        embeds = isinstance(scorer, EmbeddingScorer)
        work = _by_embeddings if embeds else _by_query
        seconds, measured = work(scorer, queries, candidates, BUDGET_S[scale])
        loop_s, pairs = _plainly(name, queries, candidates, BUDGET_S[scale])
        note = f"plain loop {loop_s:.3g} s"
        if pairs < size**2:
            note += f" (from {pairs} pairs)"
        if measured:
            note += f"; calculated from {measured}"
        if not embeds:
            note += "; no embeddings: all pairs pass the network"
        ratio = loop_s / seconds
        facts = {"loop_s": loop_s, "times_faster": round(ratio, 1), "n": size, "scorer": name}
        note += f"; {ratio:.3g} × as fast"
        rows.append(row(f"{name}, n = {size}", seconds, "s", note, **facts))
    return rows


def scorer_named(name: str) -> Any:
    """Return a rule, or a network with random weights at scale=small."""
    if name in RULES:
        return scorers.build(name, {})
    torch.manual_seed(0)
    sizes: Any = OmegaConf.to_container(OmegaConf.load(CONFIGS / "scale" / "small.yaml"))
    view = scorer_class_of(name).view
    block = name if name in sizes else "contrastive" if view == "stems" else view
    if name == "stem_jepa":
        block = "jepa"
    settings = {"network": name, **{key: sizes[block][key] for key in ("sizes", "frontend")}}
    return build_scorer(settings, name=name)


def sides(scorer: Any, count: int) -> tuple[list[Group], list[Group]]:
    """Return queries and candidates with the roles that a Scorer hears; every part is its own."""
    length_s = 2.0 if isinstance(scorer, LoopScorer) else PART_S
    sounds = [chords(seed, length_s) for seed in range(DISTINCT)]

    def part(number: int) -> ArrayPart:
        sound = sounds[number % DISTINCT].samples
        # As loud as before to the ear, and another sound to every cache.
        return ArrayPart(sound * np.float32(1 - 1e-4 * (number // DISTINCT)), RATE)

    if isinstance(scorer, LoopScorer):
        return (
            [{"loop_a": part(i)} for i in range(count)],
            [{"loop_b": part(7 + i)} for i in range(count)],
        )
    if getattr(scorer, "view", "mixes") == "stems":
        return (
            [{"context": part(i)} for i in range(count)],
            [{"target": part(7 + i)} for i in range(count)],
        )
    assert isinstance(scorer, MixScorer) or scorer.name in RULES
    return (
        [{"vocal": part(i)} for i in range(count)],
        [{"harmonic": part(7 + i), "percussion": part(13 + i)} for i in range(count)],
    )


def up_to(work: Callable[[int], object], count: int, budget_s: float) -> tuple[float, int]:
    """Do pieces of work until time is up; return the seconds of all, and how many were done."""
    began_s, done = time.perf_counter(), 0
    while done < count and (not done or time.perf_counter() - began_s < budget_s):
        work(done)
        done += 1
    return (time.perf_counter() - began_s) / done * count, done


@torch.inference_mode()
def _by_embeddings(
    scorer: Any, queries: Sequence[Group], candidates: Sequence[Group], budget_s: float
) -> tuple[float, str]:
    count = len(queries)
    left: list[torch.Tensor] = []
    right: list[torch.Tensor] = []

    def encode(index: int) -> None:
        left.append(scorer.embed_query([queries[index]]))
        right.append(scorer.embed_candidate([candidates[index]]))

    encode_s, encoded = up_to(encode, count, budget_s)
    every = [index % encoded for index in range(count)]
    first = torch.cat(equally_long(left))[every]
    second = torch.cat(equally_long(right))[every]
    # Rows in blocks: a comparison of all at once may be faster than one after the other.
    block = max(1, count // 10)
    starts = list(range(0, count, block))

    def compare(index: int) -> None:
        scorer.similarity(first[starts[index] : starts[index] + block], second)

    compare_s, compared = up_to(compare, len(starts), budget_s)
    said = [f"{2 * encoded} of {2 * count} encodings"] if encoded < count else []
    if compared < len(starts):
        said.append(f"{compared * block} of {count} rows")
    return encode_s + compare_s, " and ".join(said)


def equally_long(embeddings: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Fill up windows or beats with zeros, as a Scorer does where it embeds several at once."""
    longest = [max(sizes) for sizes in zip(*(e.shape for e in embeddings), strict=True)]
    filled = []
    for embedding in embeddings:
        missing = [n - have for n, have in zip(longest, embedding.shape, strict=True)]
        padding = [number for lacking in reversed(missing) for number in (0, lacking)]
        filled.append(torch.nn.functional.pad(embedding, padding))
    return filled


@torch.inference_mode()
def _by_query(
    scorer: Any, queries: Sequence[Group], candidates: Sequence[Group], budget_s: float
) -> tuple[float, str]:
    # At most 20 candidates at once: a whole row may take longer than there is.
    some = candidates[:DISTINCT]
    seconds, done = up_to(lambda i: scorer.score(queries[i], some), len(queries), budget_s)
    whole = seconds * len(candidates) / len(some)
    pairs = done * len(some)
    everything = len(queries) * len(candidates)
    return whole, f"{pairs} of {everything} pairs" if pairs < everything else ""


@torch.inference_mode()
def _plainly(
    name: str, queries: Sequence[Group], candidates: Sequence[Group], budget_s: float
) -> tuple[float, int]:
    """Judge pair after pair, by a Scorer that remembers nothing."""
    scorer = scorer_named(name)
    judge = getattr(scorer, "score_plainly", scorer.score)
    judge(queries[-1], candidates[-1:])  # what is loaded once is not counted
    count = len(queries)

    def pair(index: int) -> None:
        judge(queries[index // count], [candidates[index % count]])
        memory = getattr(scorer, "_encoded", {})
        getattr(memory, "_known", memory).clear()

    return up_to(pair, count**2, budget_s)
