"""Figures of vocals that look for their own music: with intervals, meanings, comparisons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mashnet.evaluation.protocols.placement.answers import KNOWN, WAYS, Answers, Way
from mashnet.evaluation.protocols.placement.questions import (
    NUM_OPPONENTS,
    USUAL_BARS,
    Questions,
)
from mashnet.evaluation.results import Comparison, Metric
from mashnet.evaluation.statistics import Bootstrap, Estimate

OF_64 = "top_1_of_64"
RANK = "normalised_rank_mean"
KINDS = {"_exact": True, "_estimated": False}  # of annotations

Asked = tuple[Way, int]  # how annotations are believed, and how many bars a phrase has
Column = tuple[np.ndarray, list[str]]  # a figure of each window, and its group


def columns(answers: Mapping[Asked, Answers], questions: Sequence[Questions]) -> dict[str, Column]:
    """Return what is averaged, name by name.

    Where a split has songs with exact annotations and others, the figures in which annotations
    are believed stand there for both kinds apart, too.
    """
    found: dict[str, Column] = {}
    for asked in questions:
        exact = np.array([window.is_exact for window in asked.windows])
        for way in WAYS:
            if (way, asked.bars) not in answers:
                continue
            placement = answers[way, asked.bars].placement
            values = {RANK: placement.normalised_rank}
            if asked.shown.shape[1] == NUM_OPPONENTS + 1:
                values = {OF_64: placement.top_k(1), **values}
            for name, each in values.items():
                groups = np.array(asked.groups)
                found[name + way.suffix + asked.suffix] = each, groups.tolist()
                if way is KNOWN and exact.any() and not exact.all():
                    for kind, is_exact in KINDS.items():
                        where = exact == is_exact
                        found[name + kind + asked.suffix] = each[where], groups[where].tolist()
    return found


def estimates(found: Mapping[str, Column], bootstrap: Bootstrap) -> dict[str, Estimate]:
    """Return every mean with its interval; groups are drawn."""
    return {
        name: bootstrap.estimate(np.mean, [values], groups)
        for name, (values, groups) in found.items()
    }


def compare(
    of_scorers: Mapping[str, Mapping[str, Column]], bootstrap: Bootstrap
) -> list[Comparison]:
    """Return how far the first Scorer is from each other, wherever both have an answer."""
    first, *others = of_scorers
    return [
        Comparison(
            name,
            first,
            other,
            bootstrap.difference(np.mean, [values], [of_scorers[other][name][0]], groups),
        )
        for other in others
        for name, (values, groups) in of_scorers[first].items()
        if name in of_scorers[other]
    ]


def meanings(names: Sequence[str], questions: Sequence[Questions]) -> dict[str, Metric]:
    """Return what figures mean, and what a Scorer gets that hears nothing.

    Args:
        names: of the figures that anybody has.
        questions: that were asked.
    """
    found: dict[str, Metric] = {}
    for asked in questions:
        opponents = asked.shown.shape[1] - 1
        for suffix, words in _suffixes().items():
            said = f"phrases of {asked.bars} bars; {words}"
            headline = asked.bars == USUAL_BARS
            found[OF_64 + suffix + asked.suffix] = Metric(
                f"Share of vocals whose own music stands first among it and {opponents} of other "
                f"songs, nothing moved ({said}); by chance 1 in {opponents + 1}.",
                1 / (opponents + 1),
                headline,
            )
            found[RANK + suffix + asked.suffix] = Metric(
                f"Mean share of {opponents} of other songs that stand before a vocal's own music "
                f"({said}); 0 is best, 0.5 chance.",
                0.5,
                headline and not suffix,
            )
    return {name: metric for name, metric in found.items() if name in names}


def _suffixes() -> dict[str, str]:
    words = {way.suffix: way.words for way in WAYS}
    return words | {
        "_exact": f"{KNOWN.words}, of songs annotated with what made the sound",
        "_estimated": f"{KNOWN.words}, of songs whose beats or key were estimated",
    }
