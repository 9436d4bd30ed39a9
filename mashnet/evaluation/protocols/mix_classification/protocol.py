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

import polars as pl

from mashnet.data.schemas import CONDITIONS
from mashnet.evaluation import figures
from mashnet.evaluation.metrics import reliability
from mashnet.evaluation.protocols.mix_classification.answers import (
    Mixes,
    Scored,
    ask,
    mixes_of,
    validation_mixes,
)
from mashnet.evaluation.protocols.mix_classification.measures import compare, estimates, meanings
from mashnet.evaluation.results import Outcome, Plot, ScorerResult
from mashnet.evaluation.statistics import Bootstrap
from mashnet.evaluation.subjects.mix_source import MixSource
from mashnet.models.scorer import Scorer

NAME = "mix_classification"


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
    mixes = mixes_of(source)
    validation = None if source.split in ("val", "all") else validation_mixes(source)
    scored = {scorer.name: ask(scorer, mixes, validation) for scorer in scorers}
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
                estimates(one, mixes, bootstrap, num_bins),
                {
                    "artefact_control": source.artefact_control,
                    "threshold": "0.5" if one.is_probability else "0.5 after calibration",
                    "calibration": calibration,
                },
            )
            for name, one in scored.items()
        ],
        metrics=meanings(mixes),
        scores=pl.concat([_table(name, one, mixes) for name, one in scored.items()]),
        plots=_plots(scored, mixes, num_bins),
        comparisons=compare(scored, mixes, bootstrap),
        notes=_notes(mixes, scored, calibration),
    )


def _table(name: str, one: Scored, mixes: Mixes) -> pl.DataFrame:
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


def _plots(scored: dict[str, Scored], mixes: Mixes, num_bins: int) -> list[Plot]:
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


def _notes(mixes: Mixes, scored: dict[str, Scored], calibration: str) -> list[str]:
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
