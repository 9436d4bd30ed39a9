"""The figures of loop_ranking: what each is called, what it means, and how sure it is."""

from __future__ import annotations

import numpy as np

from mashnet.data.loops.loops import STRATEGIES
from mashnet.evaluation.metrics import Placement, accuracy, auc, f1
from mashnet.evaluation.protocols.loop_ranking.answers import Answers
from mashnet.evaluation.results import Comparison, Metric
from mashnet.evaluation.statistics import Bootstrap, Estimate

TOP = (10, 30, 50)


def classified(
    answers: Answers,
    labels: np.ndarray,
    strategies: np.ndarray,
    songs: list[str],
    bootstrap: Bootstrap,
) -> dict[str, Estimate]:
    """Return how well pairs are told from negatives, of all strategies and of each.

    Args:
        answers: about n pairs.
        labels: whether they fit, shape (n,).
        strategies: how each was made, shape (n,).
        songs: of each, n of them.
        bootstrap: how intervals are made; songs are drawn.
    """
    found = {
        "accuracy": bootstrap.estimate(accuracy, [answers.probabilities, labels], songs),
        "f1": bootstrap.estimate(f1, [answers.probabilities, labels], songs),
        "auc": bootstrap.estimate(auc, [answers.scores, labels], songs),
        "accuracy_calibrated": bootstrap.estimate(accuracy, [answers.calibrated, labels], songs),
        "f1_calibrated": bootstrap.estimate(f1, [answers.calibrated, labels], songs),
    }
    for strategy in STRATEGIES:
        where = labels | (strategies == strategy)
        columns = [answers.scores[where], labels[where]]
        found[f"auc_{strategy}"] = bootstrap.estimate(auc, columns, np.array(songs)[where].tolist())
    return found


def ranked(placement: Placement, songs: list[str], bootstrap: Bootstrap) -> dict[str, Estimate]:
    """Return where partners stand among the candidates; one song per query."""
    return {
        name: bootstrap.estimate(np.mean, [values], songs)
        for name, values in _columns(placement).items()
    }


def _columns(placement: Placement) -> dict[str, np.ndarray]:
    return {
        "average_rank": placement.rank,
        **{f"top_{k}": placement.top_k(k) for k in TOP},
        "normalised_rank_mean": placement.normalised_rank,
    }


def compare(
    asked: dict[str, Answers],
    labels: np.ndarray,
    songs: list[str],
    queries: list[str],
    bootstrap: Bootstrap,
) -> list[Comparison]:
    """Return how much better the first Scorer is than each other.

    Args:
        asked: name of a Scorer → what it said of n pairs and m queries.
        labels: whether the pairs fit, shape (n,).
        songs: of the pairs, n of them.
        queries: the songs of the queries, m of them.
        bootstrap: how intervals are made; songs are drawn.
    """
    first, *others = asked
    comparisons = []
    for other in others:
        one, two = asked[first], asked[other]
        for name, statistic, columns, groups in (
            ("auc", auc, ([one.scores, labels], [two.scores, labels]), songs),
            (
                "accuracy_calibrated",
                accuracy,
                ([one.calibrated, labels], [two.calibrated, labels]),
                songs,
            ),
            (
                "normalised_rank_mean",
                np.mean,
                ([one.placement.normalised_rank], [two.placement.normalised_rank]),
                queries,
            ),
        ):
            difference = bootstrap.difference(statistic, *columns, groups)  # type: ignore[arg-type]
            comparisons.append(Comparison(name, first, other, difference))
    return comparisons


def meanings(candidates: int) -> dict[str, Metric]:
    """Return what the figures mean, for rankings of so many candidates."""
    return {
        "accuracy": Metric("Share of pairs and negatives that are judged right.", 0.5, True),
        "f1": Metric(
            "Harmonic mean of precision and recall of the pairs. Chance: always saying that they "
            "fit.",
            2 / 3,
            True,
        ),
        "auc": Metric("How often a pair scores above a negative.", 0.5, True),
        "accuracy_calibrated": Metric("Accuracy after every Scorer had the same fit.", 0.5),
        "f1_calibrated": Metric("F1 after that fit.", 2 / 3),
        **{
            f"auc_{s}": Metric(f"AUC against negatives of the strategy {s} only.", 0.5)
            for s in STRATEGIES
        },
        "average_rank": Metric(
            f"Mean rank of a loop's partner among {candidates} loops, one per song; 1 is best.",
            (candidates + 1) / 2,
            headline=True,
        ),
        **{
            f"top_{k}": Metric(
                f"Share of queries whose partner is among the first {k}.",
                min(1.0, k / candidates),
                headline=k == 10,
            )
            for k in TOP
        },
        "normalised_rank_mean": Metric("Mean share of other loops before the partner.", 0.5, True),
    }
