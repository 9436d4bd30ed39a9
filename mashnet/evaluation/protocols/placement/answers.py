"""How annotations are believed, and what a Scorer answers in each of these ways."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from mashnet.evaluation.metrics import Placement
from mashnet.evaluation.protocols.placement.questions import Questions
from mashnet.evaluation.retrieval import placements_of
from mashnet.models.score_matrix import score_matrix
from mashnet.models.scorer import Scorer

ALL_KEYS = 6  # semitones up or down


@dataclass(frozen=True)
class Way:
    """A way to believe annotations.

    Attributes:
        suffix: of the names of figures.
        open_key: whether the Scorer has to find the key.
        apart: whether beats and key of the two sides are estimated from different halves.
        words: for readers.
    """

    suffix: str
    open_key: bool
    apart: bool
    words: str


KNOWN = Way("", False, False, "beats and keys as they are annotated")
OPEN = Way("_open_key", True, False, "beats as they are annotated, the key left open")
APART = Way("_apart", False, True, "beats and key of either side from another half of its clip")
APART_OPEN = Way("_apart_open_key", True, True, "beats likewise, the key left open")
WAYS = (KNOWN, OPEN, APART, APART_OPEN)


@dataclass(frozen=True)
class Answers:
    """What a Scorer makes of windows of one length, in one way.

    Attributes:
        scores: of each vocal's own music, (windows,).
        placement: where it stands among those shown.
    """

    scores: np.ndarray
    placement: Placement


def judges_unmoved(scorer: Scorer) -> bool:
    """Return whether a Scorer may be asked about parts as they lie."""
    return bool(getattr(scorer, "judges_unmoved", False))


def ways_of(scorer: Scorer) -> list[Way]:
    """Return the ways in which a Scorer that judges unmoved parts can be asked.

    One that tries all keys whatever is annotated (`finds_keys`) has none in which keys are known.
    """
    return [way for way in WAYS if way.open_key or not getattr(scorer, "finds_keys", False)]


@contextlib.contextmanager
def believing_keys(scorer: Scorer, way: Way) -> Iterator[None]:
    """Let a Scorer that believes keys, as `most_semitones` says, leave them open for a while."""
    before = getattr(scorer, "most_semitones", None)
    if before is None:
        yield
        return
    told = cast(Any, scorer)
    told.most_semitones = ALL_KEYS if way.open_key else 0
    try:
        yield
    finally:
        told.most_semitones = before


def ask(scorer: Scorer, questions: Questions, way: Way) -> Answers:
    """Put all questions to a Scorer that judges unmoved parts."""
    vocals, musics = questions.sides
    if way.apart:
        assert questions.apart is not None
        vocals, musics = questions.apart
    with believing_keys(scorer, way):
        scores = score_matrix(
            scorer,
            vocals,
            musics,
            chosen=questions.shown,
            what=f"{questions.bars} bars{way.suffix.replace('_', ' ')}",
        )
    return answers_of(scores, questions.lost if way.apart else None)


def answers_of(scores: np.ndarray, lost: Sequence[bool] | np.ndarray | None = None) -> Answers:
    """Rank what is shown.

    Args:
        scores: (windows, 1 + opponents), the own music first.
        lost: windows that nobody can find, (windows,): they stand last.
    """
    placement = placements_of(scores, np.zeros(len(scores), int))
    if lost is not None:
        last = placement.candidates - 1
        placement = Placement(
            np.where(lost, last, placement.better),
            np.where(lost, 0, placement.tied),
            placement.candidates,
        )
    return Answers(scores[:, 0], placement)
