"""Can a Scorer tell an original mix from one whose key or tempo does not fit?

Positives are the originals, negatives the unmatched mixes (paper: Huang et al., AAAI 2021).
Matched mixes have no true label; their mean score is reported beside.

A Scorer whose scores are probabilities (`is_probability`) is judged at 0.5, as published. On any
other scale 0.5 means nothing: such scores become probabilities by a logistic fit on the validation
split, in which both classes weigh the same. The figures named "calibrated" give every Scorer that
treatment. Where no validation split lies apart from what is judged (split=all, split=val), each
song is judged by a fit on the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from mashnet.data.mixes.recipes import Recipe
from mashnet.data.parts import Group
from mashnet.data.schemas import CONDITIONS
from mashnet.evaluation import figures
from mashnet.evaluation.calibration import Calibration, crossfitted
from mashnet.evaluation.metrics import (
    accuracy,
    auc,
    balanced_accuracy,
    expected_calibration_error,
    f1,
    reliability,
)
from mashnet.evaluation.results import Comparison, Metric, Outcome, Plot, ScorerResult
from mashnet.evaluation.statistics import Bootstrap, Estimate, Statistic
from mashnet.evaluation.subjects.mix_source import MixSource, recipes_of
from mashnet.models.score_matrix import score_groups
from mashnet.models.scorer import Scorer

NAME = "mix_classification"
UNMATCHED = tuple(name for name in CONDITIONS if name.startswith("unmatched"))


@dataclass(frozen=True)
class _Mixes:
    """The mixes of a split as columns of one length."""

    recipes: list[Recipe]
    groups: list[tuple[Group, Group]]
    songs: list[str]
    conditions: np.ndarray

    @classmethod
    def of(cls, recipes: list[Recipe], source: MixSource) -> _Mixes:
        return cls(
            recipes,
            source.groups(recipes),
            [source.song_of(recipe) for recipe in recipes],
            np.array([recipe.condition for recipe in recipes]),
        )

    @property
    def labels(self) -> np.ndarray:
        return self.conditions == "original"

    @property
    def labelled(self) -> np.ndarray:
        return self.conditions != "matched"


@dataclass(frozen=True)
class _Scored:
    """What one Scorer said about the mixes."""

    scores: np.ndarray
    calibrated: np.ndarray
    is_probability: bool

    @property
    def probabilities(self) -> np.ndarray:
        return self.scores if self.is_probability else self.calibrated


def run(
    scorers: Sequence[Scorer],
    source: MixSource,
    *,
    bootstrap: Bootstrap,
    num_bins: int = 10,
) -> Outcome:
    """Score every mix of the split and measure how well originals and unmatched are told apart.

    Args:
        scorers: whom to ask; the first is compared with each other.
        source: the mixes.
        bootstrap: how intervals are made.
        num_bins: bins of the reliability curve and of the calibration error.

    Raises:
        DatabaseError: if there are no originals or no unmatched mixes.
    """
    mixes = _mixes(source)
    validation = None if source.split in ("val", "all") else _validation(source)
    scored = {scorer.name: _ask(scorer, mixes, validation) for scorer in scorers}
    calibration = "validation split" if validation else "cross-fitted by song"
    return Outcome(
        protocol=NAME,
        title="Original or unmatched?",
        summary=(
            "Each mix gets a score. Originals should score high; mixes whose accompaniment was "
            "drawn without regard to key, to tempo, or to both should score low."
        ),
        results=[
            ScorerResult(
                NAME,
                name,
                source.name,
                source.split,
                _metrics(one, mixes, bootstrap, num_bins),
                {
                    "artefact_control": source.artefact_control,
                    "threshold": "0.5" if one.is_probability else "0.5 after calibration",
                    "calibration": calibration,
                },
            )
            for name, one in scored.items()
        ],
        metrics=_meanings(mixes),
        scores=pl.concat([_table(name, one, mixes) for name, one in scored.items()]),
        plots=_plots(scored, mixes, num_bins),
        comparisons=_compare(scored, mixes, bootstrap),
        notes=_notes(mixes, scored, calibration),
    )


def _mixes(source: MixSource) -> _Mixes:
    found = recipes_of(source, CONDITIONS, required=("original",))
    if not any(found[condition] for condition in UNMATCHED):
        found = recipes_of(source, CONDITIONS, required=UNMATCHED)
    return _Mixes.of([recipe for name in CONDITIONS for recipe in found[name]], source)


def _validation(source: MixSource) -> _Mixes | None:
    """Return the labelled mixes of the validation split; None if a class is absent."""
    recipes = [r for r in source.recipes("val") if r.condition != "matched"]
    if len({recipe.condition == "original" for recipe in recipes}) < 2:
        return None
    return _Mixes.of(recipes, source)


def _ask(scorer: Scorer, mixes: _Mixes, validation: _Mixes | None) -> _Scored:
    scores = score_groups(scorer, mixes.groups)
    if validation is not None:
        on_validation = score_groups(scorer, validation.groups, what="validation")
        calibrated = Calibration(on_validation, validation.labels)(scores)
    else:
        calibrated = crossfitted(scores, mixes.labels, mixes.labelled, mixes.songs)
    return _Scored(scores, calibrated, bool(getattr(scorer, "is_probability", False)))


def _metrics(
    one: _Scored, mixes: _Mixes, bootstrap: Bootstrap, num_bins: int
) -> dict[str, Estimate]:
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


def _compare(scored: dict[str, _Scored], mixes: _Mixes, bootstrap: Bootstrap) -> list[Comparison]:
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


def _table(name: str, one: _Scored, mixes: _Mixes) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "scorer": [name] * len(mixes.recipes),
            "mix_id": [recipe.mix_id for recipe in mixes.recipes],
            "condition": mixes.conditions.tolist(),
            "song_id": mixes.songs,
            "score": one.scores,
            "probability": one.probabilities,
            "calibrated": one.calibrated,
        }
    )


def _plots(scored: dict[str, _Scored], mixes: _Mixes, num_bins: int) -> list[Plot]:
    scores = {name: one.scores for name, one in scored.items()}
    where, labels = mixes.labelled, mixes.labels[mixes.labelled]
    curves = {
        name: reliability(one.probabilities[where], labels, num_bins)
        for name, one in scored.items()
    }
    return [
        Plot(
            "scores",
            figures.score_distributions(scores, mixes.conditions),
            "Scores by condition. Box: middle half of the mixes, and their median; whiskers: "
            "5 to 95 %. A Scorer that hears fit has the original above the unmatched.",
        ),
        Plot(
            "roc",
            figures.roc_curves({name: s[where] for name, s in scores.items()}, labels),
            "Originals found, against unmatched mixes taken for originals, at every threshold.",
        ),
        Plot(
            "reliability",
            figures.reliability_curves(curves),
            "Do the probabilities mean what they say? On the diagonal they do. The larger a dot, "
            "the more mixes it stands for.",
        ),
    ]


def _meanings(mixes: _Mixes) -> dict[str, Metric]:
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


def _notes(mixes: _Mixes, scored: dict[str, _Scored], calibration: str) -> list[str]:
    counts = ", ".join(
        f"{int((mixes.conditions == condition).sum())} {condition}" for condition in CONDITIONS
    )
    fitted = [name for name, one in scored.items() if not one.is_probability]
    notes = [f"Mixes: {counts}, of {len(set(mixes.songs))} songs."]
    if fitted:
        notes.append(
            f"The scores of {', '.join(fitted)} are no probabilities: accuracy, F1 and the "
            f"reliability curve use a logistic fit ({calibration}) in their place."
        )
    notes.append(
        f"“Calibrated” figures use that fit for every Scorer ({calibration}). Intervals do not "
        f"include the uncertainty of the fit itself."
    )
    return notes
