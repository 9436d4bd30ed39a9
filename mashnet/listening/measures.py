"""The tables of a listening test: what each is, and why it cannot be had where it cannot.

Conventions: `scale` is a question or "mean" (of a rating's five answers). All p are two-sided.

Functions:
    mean_opinions: mean rating of each condition.
    alpha: whether the five questions ask for one thing (Cronbach).
    by_heard: mean ratings of those who knew a clip and those who did not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from mashnet.evaluation.statistics import Bootstrap, Estimate
from mashnet.listening.pigeonhole_bootstrap import mean_of
from mashnet.listening.questions import HEARD, QUESTION_NAMES
from mashnet.listening.table import SCALES, Judged


@dataclass(frozen=True)
class NotComputed:
    """A figure that these ratings do not give."""

    what: str
    why: str


@dataclass(frozen=True)
class Opinion:
    """Mean ratings of one group of ratings.

    Attributes:
        group: condition, or "originals, heard: yes".
        means: scale → mean and interval.
        participants: how many.
        items: how many.
    """

    group: str
    means: dict[str, Estimate]
    participants: int
    items: int


def opinion(group: str, ratings: pl.DataFrame, bootstrap: Bootstrap) -> Opinion:
    """Return the mean ratings of a group."""
    participants, items = ratings["participant"].to_numpy(), ratings["item"].to_numpy()
    values = ratings.select(SCALES).to_numpy()
    means = mean_of(values, participants, items, bootstrap)
    return Opinion(
        group,
        dict(zip(SCALES, means, strict=True)),
        len(np.unique(participants)),
        len(np.unique(items)),
    )


def mean_opinions(table: Judged, bootstrap: Bootstrap) -> tuple[list[Opinion], list[NotComputed]]:
    """Return the mean opinion scores of all conditions."""
    found, missing = [], []
    for condition, ratings in table.of_condition().items():
        found.append(opinion(condition, ratings, bootstrap))
        missing += _without_interval(found[-1])
    rated = {one.group for one in found}
    for condition in table.claims["condition"].unique().sort():
        if condition not in rated:
            missing.append(NotComputed(f"mean of {condition}", "nobody has rated it"))
    return found, missing


def by_heard(table: Judged, bootstrap: Bootstrap) -> list[Opinion]:
    """Return mean ratings of originals and of mashups by the answer to "heard this before?"."""
    found = []
    for original, name in ((True, "originals"), (False, "mashups")):
        for value, text in HEARD.items():
            ratings = table.ratings.filter(
                (pl.col("original") == original) & (pl.col("heard") == value)
            )
            if len(ratings):
                found.append(opinion(f"{name}, heard before: {text}", ratings, bootstrap))
    return found


def cronbach(answers: np.ndarray) -> float:
    """Return Cronbach's alpha: 1 where all questions rise and fall together, 0 where each is alone.

    k / (k − 1) · (1 − Σ variances of the questions / variance of their sum).

    Args:
        answers: shape (ratings, questions), at least two questions.

    Returns:
        NaN where it is not defined: fewer than two ratings, or sums that are all the same.
    """
    ratings, questions = answers.shape
    if ratings < 2:
        return float("nan")
    of_sum = float(answers.sum(axis=1).var(ddof=1))
    if of_sum == 0:
        return float("nan")
    return questions / (questions - 1) * (1 - float(answers.var(axis=0, ddof=1).sum()) / of_sum)


def alpha(
    table: Judged, bootstrap: Bootstrap
) -> tuple[Estimate, dict[str, float], list[NotComputed]]:
    """Return alpha of the five questions over all ratings, and without each of them.

    The interval draws participants, with all that they rated.
    """
    answers = table.ratings.select(QUESTION_NAMES).to_numpy()
    estimate = bootstrap.estimate(
        lambda drawn: cronbach(drawn), [answers], table.ratings["participant"].to_list()
    )
    without = {
        name: cronbach(np.delete(answers, index, axis=1))
        for index, name in enumerate(QUESTION_NAMES)
    }
    missing = []
    if not np.isfinite(estimate.value):
        why = "there is one rating" if len(answers) < 2 else "the sums of all ratings are the same"
        missing.append(NotComputed("Cronbach's alpha", why))
    elif not np.isfinite(estimate.low):
        missing.append(NotComputed("interval of Cronbach's alpha", "there is one participant"))
    return estimate, without, missing


def _without_interval(one: Opinion) -> list[NotComputed]:
    alone = [
        f"there is one {name}"
        for name, count in (("participant", one.participants), ("clip", one.items))
        if count < 2
    ]
    if not alone:
        return []
    return [NotComputed(f"interval of {one.group}", " and ".join(alone))]
