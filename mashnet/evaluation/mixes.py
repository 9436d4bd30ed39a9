"""Mixes as questions to a Scorer: the vocal asks, the accompaniment is the candidate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from tqdm import tqdm

from mashnet.data.parts import Group
from mashnet.data.recipes import Recipe
from mashnet.errors import DatabaseError
from mashnet.evaluation.moves import Move
from mashnet.models.scorer import Scorer


class MixSource(Protocol):
    """Where protocols get mixes from: recipes, whose song they are, and how they sound."""

    name: str
    split: str
    artefact_control: bool

    def recipes(self, split: str | None = None) -> list[Recipe]:
        """Return the recipes of a split; None: of the split that is evaluated."""

    def song_of(self, recipe: Recipe) -> str:
        """Return the song of the vocal: mixes that share it are not independent."""

    def groups(self, recipes: Sequence[Recipe]) -> list[tuple[Group, Group]]:
        """Render; return each vocal as a query, its harmonic and percussion as a candidate."""

    def moved_groups(
        self, moved: Sequence[tuple[Recipe, Mapping[str, Move]]]
    ) -> list[tuple[Group, Group]]:
        """Render recipes whose roles are moved, as `groups` does.

        Every role passes the stretch engine, moved or not, so that what changes along a curve is
        the fit and not the trace of processing.
        """


def score_groups(
    scorer: Scorer, groups: Sequence[tuple[Group, Group]], *, what: str = "mixes"
) -> np.ndarray:
    """Score pairs of query and candidate, shape (pairs,).

    Pairs with the same query are put to the Scorer in one call, so that it is encoded once.

    Raises:
        ValueError: if a Scorer returns another number of scores, or one that is not finite.
    """
    by_query: dict[tuple[tuple[str, str], ...], list[int]] = {}
    for index, (query, _) in enumerate(groups):
        key = tuple(sorted((role, part.part_id) for role, part in query.items()))
        by_query.setdefault(key, []).append(index)
    scores = np.full(len(groups), np.nan)
    progress = tqdm(total=len(groups), desc=f"{scorer.name}: {what}", unit="mix", disable=None)
    with progress:
        for indices in by_query.values():
            answers = scorer.score(groups[indices[0]][0], [groups[i][1] for i in indices])
            values = np.asarray(answers.detach().cpu(), dtype=np.float64)
            if values.shape != (len(indices),) or not np.isfinite(values).all():
                raise ValueError(
                    f"{scorer.name} answered {len(indices)} candidates with {values.tolist()}; "
                    f"one finite number for each was expected"
                )
            scores[indices] = values
            progress.update(len(indices))
    return scores


def recipes_of(
    source: MixSource,
    conditions: Sequence[str],
    split: str | None = None,
    *,
    required: Sequence[str],
) -> dict[str, list[Recipe]]:
    """Return a split's recipes by condition, each in the order of their ids.

    Raises:
        DatabaseError: if a required condition has none.
    """
    found: dict[str, list[Recipe]] = {condition: [] for condition in conditions}
    for recipe in sorted(source.recipes(split), key=lambda r: r.mix_id):
        if recipe.condition in found:
            found[recipe.condition].append(recipe)
    if absent := [condition for condition in required if not found[condition]]:
        raise DatabaseError(
            f"{source.name}: the split {split or source.split} has no mixes of the condition "
            f"{', '.join(absent)} with artefact_control={str(source.artefact_control).lower()}. "
            f"Make some with: python -m data_pipelines.mixes db={source.name}"
        )
    return found
