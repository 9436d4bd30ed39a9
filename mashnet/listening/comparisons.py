"""Tests: does a system know good from bad, and which system do listeners like better?

- Mann–Whitney U: what a system ranked highest against what it ranked lowest. *Over clips*: each
  clip's mean rating is one value; clips are what the system chose among, so this p is right. *Over
  ratings*, as such tests are commonly published: each rating is one value, as if no two came from
  one listener or one clip; its p is too small, and stands beside the other for comparison.
- Wilcoxon signed-rank: each participant's mean rating of one system against that of another. What a
  system ranked lowest is left out: nobody would play it. It speaks of these clips and other
  listeners; the interval beside it draws clips as well.
- Holm: within a scale (and unit), over all systems or pairs of systems.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import polars as pl
from scipy import stats
from statsmodels.stats.multitest import multipletests

from mashnet.evaluation.statistics import Bootstrap, Estimate
from mashnet.listening.measures import NotComputed
from mashnet.listening.pigeonhole_bootstrap import difference_of
from mashnet.listening.table import HIGH, LOW, SCALES, Judged

CLIPS, RATINGS = "clips", "ratings"
_MOST_SPLITS = 20_000  # eight against eight have 12 870
_MOST_FOR_ALL_SIGNS = 13
_SIGNIFICANT = 0.05
_FEWEST_FOR_WILCOXON = 6  # below, even a unanimous panel has p = 2 / 2ⁿ > 0.05


@dataclass(frozen=True)
class HighAgainstLow:
    """One Mann–Whitney test.

    Attributes:
        system: whose choices.
        scale: question or mean.
        unit: what counts as one value: clips or ratings.
        u: of the high ones.
        superiority: U / (n · m), the share of (high, low) in which the high one is rated higher.
        n_high: values.
        n_low: values.
        p: uncorrected.
        p_holm: corrected for the number of systems.
    """

    system: str
    scale: str
    unit: str
    u: float
    superiority: float
    n_high: int
    n_low: int
    p: float
    p_holm: float = math.nan


@dataclass(frozen=True)
class SystemAgainstSystem:
    """One Wilcoxon test, paired by participant.

    Attributes:
        first: condition.
        second: condition.
        scale: question or mean.
        difference: mean(first) − mean(second) of the ratings of these participants.
        participants: who rated both.
        statistic: W, the smaller of the two rank sums.
        p: uncorrected.
        p_holm: corrected for the number of pairs of systems.
    """

    first: str
    second: str
    scale: str
    difference: Estimate
    participants: int
    statistic: float
    p: float
    p_holm: float = math.nan


def high_against_low(table: Judged) -> tuple[list[HighAgainstLow], list[NotComputed]]:
    """Compare what each system ranked highest with what it ranked lowest."""
    found: list[HighAgainstLow] = []
    missing: list[NotComputed] = []
    for (system,), claims in table.claims.group_by("system", maintain_order=True):
        kinds = set(claims["kind"])
        if not kinds & {*HIGH, *LOW}:
            continue
        sides = [_ratings_of(table, claims, kinds) for kinds in (HIGH, LOW)]
        what = f"Mann–Whitney of {system}"
        if not all(len(side) for side in sides):
            empty = " and ".join(
                name
                for name, side in zip(("best or top", "worst or bottom"), sides, strict=True)
                if not len(side)
            )
            missing.append(NotComputed(what, f"no ratings of its {empty}"))
            continue
        clips = [side["item"].n_unique() for side in sides]
        least_p = 2 / math.comb(sum(clips), clips[0])
        if least_p > _SIGNIFICANT:
            why = (
                f"{clips[0]} against {clips[1]} clips: p cannot fall below {min(1.0, least_p):.2f}"
            )
            missing.append(NotComputed(f"a significant {what} over clips", why))
        for scale in SCALES:
            for unit in (CLIPS, RATINGS):
                values = [_values(side, scale, unit) for side in sides]
                if np.ptp(np.concatenate(values)) == 0:
                    why = f"all {unit} have the same value"
                    missing.append(NotComputed(f"{what}, {scale}, over {unit}", why))
                    continue
                u, p = mann_whitney(*values)
                n, m = map(len, values)
                found.append(HighAgainstLow(str(system), scale, unit, u, u / (n * m), n, m, p))
    return _corrected(found, ("scale", "unit")), missing


def system_against_system(
    table: Judged, bootstrap: Bootstrap
) -> tuple[list[SystemAgainstSystem], list[NotComputed]]:
    """Compare every two systems by what they would play (not: ranked lowest)."""
    lowest = set(table.claims.filter(pl.col("kind").is_in(LOW))["condition"])
    contenders = {
        name: ratings for name, ratings in table.of_condition().items() if name not in lowest
    }
    found: list[SystemAgainstSystem] = []
    missing: list[NotComputed] = []
    few = 0
    for first, second in combinations(contenders, 2):
        what = f"Wilcoxon of {first} and {second}"
        both = set(contenders[first]["participant"]) & set(contenders[second]["participant"])
        if not both:
            missing.append(NotComputed(what, "no participant rated both"))
            continue
        few += len(both) < _FEWEST_FOR_WILCOXON
        of_first, of_second = (
            contenders[name].filter(pl.col("participant").is_in(list(both)))
            for name in (first, second)
        )
        differences = _differences(of_first, of_second, bootstrap)
        for scale in SCALES:
            means = [
                side.group_by("participant").agg(pl.col(scale).mean()).sort("participant")[scale]
                for side in (of_first, of_second)
            ]
            paired = means[0].to_numpy() - means[1].to_numpy()
            # Means of the same answers differ in their last bits; that is no difference.
            paired = np.where(np.abs(paired) < 1e-9, 0.0, paired)
            if not paired.any():
                missing.append(
                    NotComputed(f"{what}, {scale}", "no participant rated them differently")
                )
                continue
            statistic, p = wilcoxon(paired)
            found.append(
                SystemAgainstSystem(
                    first,
                    second,
                    scale,
                    differences[scale],
                    len(paired),
                    statistic,
                    p,
                )
            )
    if few:
        missing.append(
            NotComputed(
                f"a significant Wilcoxon test in {few} pairs of systems",
                f"fewer than {_FEWEST_FOR_WILCOXON} participants rated both: "
                "p cannot fall below 0.05 whatever they say",
            )
        )
    return _corrected(found, ("scale",)), missing


def mann_whitney(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """Return U of the first and the two-sided p.

    Few values are gone through in all ways in which they could have been split in two, ties
    included: there the usual formula for ties can give less than the least p there is.
    """
    n, m = len(first), len(second)
    if math.comb(n + m, n) > _MOST_SPLITS:
        tested = stats.mannwhitneyu(first, second, alternative="two-sided")
        return float(tested.statistic), float(tested.pvalue)
    ranks = stats.rankdata(np.concatenate([first, second]))
    sums = ranks[np.array(list(combinations(range(n + m), n)))].sum(axis=1)
    given = sums[0]  # the first split is the one that was found
    one_sided = min((sums <= given + 1e-9).mean(), (sums >= given - 1e-9).mean())
    return float(given - n * (n + 1) / 2), min(1.0, 2 * float(one_sided))


def wilcoxon(differences: np.ndarray) -> tuple[float, float]:
    """Return W and the two-sided p of a signed-rank test; differences of zero are left out.

    Means of ratings are often tied. For up to 13 differences p is exact all the same: all signs
    are gone through, at once (scipy does so one by one, which takes seconds for each pair).

    Args:
        differences: shape (participants,), not all zero.
    """
    moved = differences[differences != 0]
    if len(moved) > _MOST_FOR_ALL_SIGNS:
        tested = stats.wilcoxon(moved)
        return float(tested.statistic), float(tested.pvalue)
    ranks = stats.rankdata(np.abs(moved).round(9))
    signs = (np.arange(2 ** len(moved))[:, None] >> np.arange(len(moved))) & 1
    sums = signs @ ranks  # of the positive ones, for each way the signs could have been
    above = float(ranks[moved > 0].sum())
    one_sided = min((sums <= above + 1e-9).mean(), (sums >= above - 1e-9).mean())
    return min(above, float(ranks.sum()) - above), min(1.0, 2 * float(one_sided))


def holm(p: Sequence[float]) -> list[float]:
    """Return p values corrected by Holm's step-down method, in the order given."""
    if len(p) < 2:  # nothing to correct; statsmodels would collect garbage for it
        return list(p)
    return [float(one) for one in multipletests(p, method="holm")[1]]


def _corrected(found: list, family: tuple[str, ...]) -> list:
    """Return the tests with Holm's correction within each family (tests alike in these fields)."""
    members: dict[tuple, list[int]] = {}
    for index, one in enumerate(found):
        members.setdefault(tuple(getattr(one, name) for name in family), []).append(index)
    corrected = list(found)
    for indices in members.values():
        for index, p in zip(indices, holm([found[i].p for i in indices]), strict=True):
            corrected[index] = replace(found[index], p_holm=p)
    return corrected


def _ratings_of(table: Judged, claims: pl.DataFrame, kinds: Sequence[str]) -> pl.DataFrame:
    items = claims.filter(pl.col("kind").is_in(list(kinds)))["item"].to_list()
    return table.ratings.filter(pl.col("item").is_in(items))


def _values(ratings: pl.DataFrame, scale: str, unit: str) -> np.ndarray:
    if unit == RATINGS:
        return ratings[scale].to_numpy()
    means = ratings.group_by("item").agg(pl.col(scale).mean()).sort("item")[scale].to_numpy()
    return np.round(means, 9)  # equal means must tie


def _differences(
    first: pl.DataFrame, second: pl.DataFrame, bootstrap: Bootstrap
) -> dict[str, Estimate]:
    """Return scale → difference of the means of all ratings."""
    side = np.repeat([True, False], [len(first), len(second)])
    both = pl.concat([first, second])
    estimates = difference_of(
        both.select(SCALES).to_numpy(),
        side,
        ~side,
        both["participant"].to_numpy(),
        both["item"].to_numpy(),
        bootstrap,
    )
    return dict(zip(SCALES, estimates, strict=True))
