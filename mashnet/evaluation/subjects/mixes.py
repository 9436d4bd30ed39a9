"""The mixes of a MashupDB, rendered, as a protocol wants them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from mashnet.data.mixes.part_store import PartStore
from mashnet.data.mixes.recipes import Recipe, Role, recipes_of
from mashnet.data.mixes.rendering import Displacement
from mashnet.data.parts import Group, Part
from mashnet.errors import DatabaseError
from mashnet.evaluation.subjects.moves import Move
from mashnet.evaluation.subjects.split import DatabaseSplit

_ROLES: tuple[Role, ...] = ("vocal", "harmonic", "percussion")


class DatabaseMixes(DatabaseSplit):
    """A MixSource over the recipes of one split with one setting of artefact control."""

    def __init__(self, root: str | Path, *, split: str, artefact_control: bool) -> None:
        """Open the database.

        Args:
            root: its folder.
            split: train, val, test, or all for every recipe of a database not trained on.
            artefact_control: which of the two kinds of recipes to use.

        Raises:
            DatabaseError: if there is no such database.
            ConfigError: if there is no such split.
        """
        super().__init__(root, split=split)
        self.artefact_control = artefact_control
        self.parts = PartStore(self.database)

    def recipes(self, split: str | None = None) -> list[Recipe]:
        """Return the recipes of a split; None: of the split that is evaluated."""
        return recipes_of(
            self.database, split or self.split, artefact_control=self.artefact_control
        )

    def song_of(self, recipe: Recipe) -> str:
        """Return the song_id of the vocal."""
        return str(self.database.clip_of(recipe.vocal[0])["song_id"])

    def groups(self, recipes: Sequence[Recipe]) -> list[tuple[Group, Group]]:
        """Render what is not on disk yet; return vocal and accompaniment of each recipe."""
        return self._rendered(
            [{role: self.parts.part(recipe, role) for role in _ROLES} for recipe in recipes]
        )

    def moved_groups(
        self, moved: Sequence[tuple[Recipe, Mapping[str, Move]]]
    ) -> list[tuple[Group, Group]]:
        """Render recipes whose roles are moved; every part passes the engine, moved or not."""
        return self._rendered(
            [
                {
                    role: self.parts.part(
                        recipe,
                        role,
                        displacement=self._displacement(recipe, moves[role]),
                        force=True,
                    )
                    for role in _ROLES
                }
                for recipe, moves in moved
            ]
        )

    def _rendered(self, mixes: Sequence[Mapping[str, Part]]) -> list[tuple[Group, Group]]:
        self.parts.render_all([part for mix in mixes for part in mix.values()])
        return [
            (
                {"vocal": mix["vocal"]},
                {"harmonic": mix["harmonic"], "percussion": mix["percussion"]},
            )
            for mix in mixes
        ]

    def _displacement(self, recipe: Recipe, move: Move) -> Displacement:
        return Displacement(
            semitones=move.semitones,
            tempo_ratio=1 + move.tempo_percent / 100,
            offset_s=move.beats * self._beat_s(recipe) if move.beats else 0.0,
        )

    def _beat_s(self, recipe: Recipe) -> float:
        clip = self.database.clip_of(recipe.vocal[0])
        if not clip["tempo_bpm"]:
            raise DatabaseError(
                f"{self.name}: clip {clip['clip_id']} has no tempo, so it cannot be moved by beats"
            )
        return 60 / clip["tempo_bpm"]
