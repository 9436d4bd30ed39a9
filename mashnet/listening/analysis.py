"""All that the ratings of a test say, in one object."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from mashnet.evaluation.statistics import Bootstrap, Estimate
from mashnet.listening.agreement import Agreement, agreements
from mashnet.listening.comparisons import (
    HighAgainstLow,
    SystemAgainstSystem,
    high_against_low,
    system_against_system,
)
from mashnet.listening.measures import NotComputed, Opinion, alpha, by_heard, mean_opinions
from mashnet.listening.table import MEAN, SCALES, Judged


@dataclass(frozen=True)
class Analysis:
    """All that a test's ratings say.

    Attributes:
        table: the ratings.
        opinions: of conditions.
        alpha: Cronbach's, over all ratings.
        alpha_without: question → alpha of the other four.
        high_against_low: Mann–Whitney tests.
        system_against_system: Wilcoxon tests.
        agreements: correlations with Scorers.
        heard: mean ratings by "heard this before?".
        not_computed: what these ratings do not give.
    """

    table: Judged
    opinions: list[Opinion]
    alpha: Estimate
    alpha_without: dict[str, float]
    high_against_low: list[HighAgainstLow]
    system_against_system: list[SystemAgainstSystem]
    agreements: list[Agreement]
    heard: list[Opinion]
    not_computed: list[NotComputed]

    @property
    def participants(self) -> pl.DataFrame:
        """Who rated how much and how: participant, ratings, mean, spread, same, listened_s.

        `same`: gave one and the same number to every question of every clip, of two clips or more.
        """
        answers = [name for name in SCALES if name != MEAN]
        return (
            self.table.ratings.group_by("participant")
            .agg(
                ratings=pl.len(),
                mean=pl.col(MEAN).mean(),
                spread=pl.col(MEAN).std(),
                same=(pl.max_horizontal(pl.col(n).max() for n in answers)
                      == pl.min_horizontal(pl.col(n).min() for n in answers)) & (pl.len() > 1),
                listened_s=pl.col("listened_s").median(),
            )
            .sort("participant")
        )  # fmt: skip


def analysis_of(table: Judged, bootstrap: Bootstrap) -> Analysis:
    """Compute everything; what cannot be is said, not raised."""
    opinions, no_opinions = mean_opinions(table, bootstrap)
    value, without, no_alpha = alpha(table, bootstrap)
    highs, no_highs = high_against_low(table)
    systems, no_systems = system_against_system(table, bootstrap)
    found, no_agreements = agreements(table, bootstrap)
    heard = by_heard(table, bootstrap)
    return Analysis(
        table,
        opinions,
        value,
        without,
        highs,
        systems,
        found,
        heard,
        [*no_opinions, *no_alpha, *no_highs, *no_systems, *no_agreements],
    )
