"""What one Scorer said: of the pairs that are classified, and where each loop's partner stands."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mashnet.data.loops.loops import POSITIVE
from mashnet.evaluation.calibration import Calibration, crossfitted
from mashnet.evaluation.metrics import Placement, place, placements
from mashnet.evaluation.protocols.loop_ranking.pairs import Draw
from mashnet.evaluation.subjects.loops import LoopPair
from mashnet.models.score_matrix import score_groups
from mashnet.models.scorer import Scorer


@dataclass(frozen=True)
class Answers:
    """What one Scorer said.

    Attributes:
        scores: of the n pairs that are classified, shape (n,).
        probabilities: the scores if they are probabilities, else `calibrated`; shape (n,).
        calibrated: probabilities by a logistic fit, shape (n,).
        placement: where partners stand, query by query and draw by draw.
    """

    scores: np.ndarray
    probabilities: np.ndarray
    calibrated: np.ndarray
    placement: Placement


def ask(
    scorer: Scorer,
    judged: list[LoopPair],
    validation: list[LoopPair] | None,
    draws: list[Draw],
) -> Answers:
    """Have a Scorer judge the pairs and rank the candidates of each draw.

    Args:
        scorer: whom to ask.
        judged: the balanced pairs.
        validation: pairs for the logistic fit; None: each song is judged by a fit on the others.
        draws: the rankings.
    """

    def score(pairs: list[LoopPair], what: str) -> np.ndarray:
        return score_groups(scorer, [(p.query, p.candidate) for p in pairs], what=what)

    scores = score(judged, "pairs")
    labels = np.array([pair.strategy == POSITIVE for pair in judged])
    if validation is not None:
        known = np.array([pair.strategy == POSITIVE for pair in validation])
        calibrated = Calibration(score(validation, "validation"), known)(scores)
    else:
        songs = [pair.song for pair in judged]
        calibrated = crossfitted(scores, labels, np.ones(len(labels), bool), songs)
    places = []
    questions = [question for draw in draws for question in draw.questions()]
    answers = score_groups(scorer, questions, what="ranking")
    for draw in draws:
        count = len(draw.pairs)
        table, answers = answers[: count**2].reshape(count, count), answers[count**2 :]
        places += [place(row[i], np.delete(row, i)) for i, row in enumerate(table)]
    is_probability = bool(getattr(scorer, "is_probability", False))
    return Answers(scores, scores if is_probability else calibrated, calibrated, placements(places))
