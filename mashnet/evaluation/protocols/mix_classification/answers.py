"""Which mixes are judged, and what one Scorer said of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mashnet.data.mixes.recipes import Recipe
from mashnet.data.parts import Group
from mashnet.data.schemas import CONDITIONS
from mashnet.evaluation.calibration import Calibration, crossfitted
from mashnet.evaluation.subjects.mix_source import MixSource, recipes_of
from mashnet.models.score_matrix import score_groups
from mashnet.models.scorer import Scorer

UNMATCHED = tuple(name for name in CONDITIONS if name.startswith("unmatched"))


@dataclass(frozen=True)
class Mixes:
    """The mixes of a split as columns of one length."""

    recipes: list[Recipe]
    groups: list[tuple[Group, Group]]
    songs: list[str]
    conditions: np.ndarray

    @classmethod
    def of(cls, recipes: list[Recipe], source: MixSource) -> Mixes:
        """Ask a source for what is heard in mixes, and for their songs."""
        return cls(
            recipes,
            source.groups(recipes),
            [source.song_of(recipe) for recipe in recipes],
            np.array([recipe.condition for recipe in recipes]),
        )

    @property
    def labels(self) -> np.ndarray:
        """Whether each is an original, shape (mixes,)."""
        return self.conditions == "original"

    @property
    def labelled(self) -> np.ndarray:
        """Whether each is an original or unmatched: of matched mixes nobody knows; (mixes,)."""
        return self.conditions != "matched"


@dataclass(frozen=True)
class Scored:
    """What one Scorer said about the mixes.

    Attributes:
        scores: on the Scorer's own scale, shape (mixes,).
        calibrated: probabilities by a logistic fit, shape (mixes,).
        is_probability: whether the scores are probabilities as they are.
    """

    scores: np.ndarray
    calibrated: np.ndarray
    is_probability: bool

    @property
    def probabilities(self) -> np.ndarray:
        """What is judged at 0.5, shape (mixes,)."""
        return self.scores if self.is_probability else self.calibrated


def mixes_of(source: MixSource) -> Mixes:
    """Return all mixes of the split that is judged, condition by condition.

    Raises:
        DatabaseError: if there are no originals or no unmatched mixes.
    """
    found = recipes_of(source, CONDITIONS, required=("original",))
    if not any(found[condition] for condition in UNMATCHED):
        found = recipes_of(source, CONDITIONS, required=UNMATCHED)
    return Mixes.of([recipe for name in CONDITIONS for recipe in found[name]], source)


def validation_mixes(source: MixSource) -> Mixes | None:
    """Return the labelled mixes of the validation split; None if a class is absent."""
    recipes = [r for r in source.recipes("val") if r.condition != "matched"]
    if len({recipe.condition == "original" for recipe in recipes}) < 2:
        return None
    return Mixes.of(recipes, source)


def ask(scorer: Scorer, mixes: Mixes, validation: Mixes | None) -> Scored:
    """Have a Scorer judge mixes; without validation mixes the fit is made on the other songs."""
    scores = score_groups(scorer, mixes.groups)
    if validation is not None:
        on_validation = score_groups(scorer, validation.groups, what="validation")
        calibrated = Calibration(on_validation, validation.labels)(scores)
    else:
        calibrated = crossfitted(scores, mixes.labels, mixes.labelled, mixes.songs)
    return Scored(scores, calibrated, bool(getattr(scorer, "is_probability", False)))
