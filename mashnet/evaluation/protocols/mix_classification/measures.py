"""The figures of mix_classification: what each is called, what it means, and how sure it is."""

from __future__ import annotations

import numpy as np

from mashnet.data.schemas import CONDITIONS
from mashnet.evaluation.metrics import (
    accuracy,
    auc,
    balanced_accuracy,
    expected_calibration_error,
    f1,
)
from mashnet.evaluation.protocols.mix_classification.answers import UNMATCHED, Mixes, Scored
from mashnet.evaluation.results import Comparison, Metric
from mashnet.evaluation.statistics import Bootstrap, Estimate, Statistic


def estimates(
    one: Scored, mixes: Mixes, bootstrap: Bootstrap, num_bins: int
) -> dict[str, Estimate]:
    """Return how well originals are told from unmatched mixes, of all conditions and of each.

    Args:
        one: what a Scorer said.
        mixes: about which.
        bootstrap: how intervals are made; songs are drawn.
        num_bins: of the calibration error.
    """

    def calibration_error(probabilities: np.ndarray, labels: np.ndarray) -> float:
        return expected_calibration_error(probabilities, labels, num_bins)

    decided = (accuracy, balanced_accuracy, f1)
    asked: dict[str, tuple[Statistic, np.ndarray]] = {
        function.__name__: (function, one.probabilities) for function in decided
    }
    asked["auc"] = (auc, one.scores)
    asked |= {f"{f.__name__}_calibrated": (f, one.calibrated) for f in decided}
    asked["expected_calibration_error"] = (calibration_error, one.probabilities)

    def estimate(statistic: Statistic, values: np.ndarray, where: np.ndarray) -> Estimate:
        songs = np.array(mixes.songs)[where].tolist()
        return bootstrap.estimate(statistic, [values[where], mixes.labels[where]], songs)

    found = {name: estimate(f, values, mixes.labelled) for name, (f, values) in asked.items()}
    for condition in CONDITIONS:
        where = mixes.conditions == condition
        if not where.any():
            continue
        if condition != "matched":
            found[f"accuracy_{condition}"] = estimate(accuracy, one.probabilities, where)
        if condition in UNMATCHED:
            found[f"auc_{condition}"] = estimate(auc, one.scores, where | mixes.labels)
        found[f"mean_score_{condition}"] = estimate(_mean_score, one.scores, where)
    return found


def _mean_score(scores: np.ndarray, _labels: np.ndarray) -> float:
    return float(scores.mean())


def compare(scored: dict[str, Scored], mixes: Mixes, bootstrap: Bootstrap) -> list[Comparison]:
    """Return how much better the first Scorer is than each other."""
    where = mixes.labelled
    labels, songs = mixes.labels[where], np.array(mixes.songs)[where].tolist()
    first, *others = scored
    comparisons = []
    for other in others:
        for name, statistic, column in (
            ("auc", auc, "scores"),
            ("balanced_accuracy_calibrated", balanced_accuracy, "calibrated"),
        ):
            one, two = (getattr(scored[who], column)[where] for who in (first, other))
            difference = bootstrap.difference(statistic, [one, labels], [two, labels], songs)
            comparisons.append(Comparison(name, first, other, difference))
    return comparisons


def meanings(mixes: Mixes) -> dict[str, Metric]:
    """Return what the figures mean, and what chance is with these mixes."""
    labels = mixes.labels[mixes.labelled]
    share = float(labels.mean())
    coin = 2 * share * 0.5 / (share + 0.5)  # recall ½, precision = share
    meanings = {
        "accuracy": Metric(
            "Share of originals and unmatched mixes on the right side of the threshold. Chance: "
            "always saying what is more frequent.",
            max(share, 1 - share),
            headline=True,
        ),
        "balanced_accuracy": Metric(
            "Mean of the shares of originals and of unmatched mixes that are judged right: does "
            "not depend on how many there are of each.",
            0.5,
        ),
        "f1": Metric(
            "Harmonic mean of precision and recall of the originals. Chance: a coin.",
            coin,
            headline=True,
        ),
        "auc": Metric(
            "How often an original scores above an unmatched mix. Needs no threshold.",
            0.5,
            headline=True,
        ),
        "accuracy_calibrated": Metric(
            "Accuracy after every Scorer was given the same logistic fit.", max(share, 1 - share)
        ),
        "balanced_accuracy_calibrated": Metric("Balanced accuracy after that fit.", 0.5, True),
        "f1_calibrated": Metric("F1 after that fit.", coin),
        "expected_calibration_error": Metric(
            "Mean distance between the probability given and the share that fits, originals and "
            "unmatched weighing the same; 0 is best."
        ),
        "accuracy_original": Metric("Share of originals judged to fit. Chance: a coin.", 0.5),
    }
    for condition in UNMATCHED:
        name = condition.replace("_", " ")
        meanings[f"accuracy_{condition}"] = Metric(
            f"Share of {name} mixes judged not to fit. Chance: a coin.", 0.5
        )
        meanings[f"auc_{condition}"] = Metric(f"AUC of originals against {name} mixes only.", 0.5)
    for condition in CONDITIONS:
        meanings[f"mean_score_{condition}"] = Metric(
            f"Mean score of the {condition.replace('_', ' ')} mixes, on the Scorer's own scale."
        )
    return meanings
