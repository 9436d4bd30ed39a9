"""Mixes as questions to a Scorer: the vocal is the query, the accompaniment the candidate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from mashnet.data.mixes.recipes import Recipe
from mashnet.data.parts import Group
from mashnet.errors import DatabaseError
from mashnet.evaluation.subjects.moves import Move
from mashnet.invocation import setting


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
            f"Make some with: python -m data_pipelines.mixes {setting('db', source.name)}"
        )
    return found
