"""From measures of single mashups to figures with intervals: best, worst, originals.

Mashups on the same base share its luck, so whole songs of bases are drawn (cluster bootstrap).
What could not be measured is left out, and n says how many remain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mashnet.evaluation.mashup_measures.measures import MEASURES
from mashnet.evaluation.results import Comparison, Metric
from mashnet.evaluation.statistics import Bootstrap, Estimate
from mashnet.mashups.proposals import Proposal

BEST, WORST, ORIGINAL = KINDS = ("best", "worst", "original")
DIFFERENCE = "difference"
LEAST_BASES = 2  # songs that the best, and the worst, must have as bases for an interval
_HEADLINE = ("judge_score", "onset_error_ms", "key_clash", "masked")


@dataclass(frozen=True)
class Finished:
    """One rendered and measured mashup, as one Scorer chose it.

    Attributes:
        kind: best, worst or original.
        rank: of its kind, from 1; of the worst 1 is the last.
        score: what the Scorer gave.
        proposal: what was rendered.
        audio: its sound.
        warnings: of the renderer.
        measured: measure → figure; NaN where it could not be had.
    """

    kind: str
    rank: int
    score: float
    proposal: Proposal
    audio: Path
    warnings: tuple[str, ...]
    measured: dict[str, float]


def estimates(finished: Sequence[Finished], bootstrap: Bootstrap) -> dict[str, Estimate]:
    """Return the mean of each measure per kind, and best minus worst.

    Args:
        finished: what one Scorer chose, and the originals of its bases.
        bootstrap: how intervals are made.

    Returns:
        "<measure>_<kind>" and "<measure>_difference"; what nobody has is left out.
    """
    songs = np.array([item.proposal.base.song_id for item in finished], dtype=str)
    kinds = np.array([item.kind for item in finished], dtype=str)
    found: dict[str, Estimate] = {}
    for name in MEASURES:
        values = np.array([item.measured[name] for item in finished], dtype=np.float64)
        known = np.isfinite(values)
        for kind in KINDS:
            these = known & (kinds == kind)
            if these.any():
                found[f"{name}_{kind}"] = bootstrap.estimate(
                    _mean, [values[these]], songs[these].tolist()
                )
        both = known & (kinds != ORIGINAL)
        if {BEST, WORST} <= set(kinds[both]):
            apart = bootstrap.estimate(
                _best_minus_worst, [values[both], kinds[both] == BEST], songs[both].tolist()
            )
            # Of a kind on one base there is only one draw: an interval of no width is no interval.
            fewest = min(len(set(songs[both & (kinds == kind)])) for kind in (BEST, WORST))
            if fewest < LEAST_BASES:
                apart = replace(apart, low=float("nan"), high=float("nan"))
            found[f"{name}_{DIFFERENCE}"] = apart
    return found


def comparisons(scorer: str, found: dict[str, Estimate]) -> list[Comparison]:
    """Return best minus worst of a Scorer, for those measures that have both."""
    return [
        Comparison(name, f"{scorer}: best", "worst", found[f"{name}_{DIFFERENCE}"])
        for name in MEASURES
        if f"{name}_{DIFFERENCE}" in found
    ]


def meanings(judge: str | None) -> dict[str, Metric]:
    """Say what the figures are, for the report's table."""
    found = {}
    for name, measure in MEASURES.items():
        meaning = measure.meaning
        if name == "judge_score" and judge is not None:
            meaning = f"what {judge} gives the layers of the finished mashup, in its own unit"
        found[f"{name}_{BEST}"] = Metric(f"best mashups: {meaning}")
        found[f"{name}_{WORST}"] = Metric("the same of the worst mashups")
        found[f"{name}_{ORIGINAL}"] = Metric("the same of the originals of the same bases")
        found[f"{name}_{DIFFERENCE}"] = Metric(
            "best minus worst", chance=0.0, headline=name in _HEADLINE
        )
    return found


def _mean(values: np.ndarray) -> float:
    return float(values.mean())


def _best_minus_worst(values: np.ndarray, best: np.ndarray) -> float:
    """Return the difference of means; NaN for a draw in which one kind is missing."""
    if best.all() or not best.any():
        return float("nan")
    return float(values[best].mean() - values[~best].mean())
