"""Recipes: a mix as a row, before it is sound.

A recipe names the stems of each role and how each role moves. Times and moves, in order:

1. harmonic stems are shifted by `semitones` (vocal and percussion are not);
2. harmonic and percussion are stretched so that their tempo is multiplied by `ratio_h` and
   `ratio_p` (1.0: untouched). With `stretch="beatwise"` each beat of a stem that is to be in time
   with the vocal is moved onto the corresponding beat of the vocal instead, counted from the first
   downbeats, and the ratios only say how fast that is on average;
3. each role is moved in time so that its first downbeat falls on the vocal's first downbeat,
   then the role named in `offset_role` is moved by a further `offset_s` (positive: later), at most
   `LEAD_IN_S`;
4. the mix begins `LEAD_IN_S` after the vocal's first downbeat and lasts `duration_s`: so every
   role sounds from its beginning, whatever the offset, and silence never tells the condition;
5. everything is moved together by `common_semitones` and `common_ratio` (tempo multiplier), which
   leaves the music alone but passes every stem through the stretch engine.

Steps 1, 2 and 5 are done in one pass of the engine per role. With `artefact_control` every
stem of every condition passes the engine (the common move of each recipe is drawn from the same
distribution), so that the traces of processing say nothing about the condition. One trace is left:
the harmonic stems of matched mixes are moved further than those of originals.

All recipes of one vocal last equally long, and those with the same common move share the vocal.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import polars as pl

from mashnet.data.mashupdb import MashupDB

Role = Literal["vocal", "harmonic", "percussion"]
Stretch = Literal["global", "beatwise"]

LEAD_IN_S = 1.0
IN_KEY = ("original", "matched", "unmatched_tempo")  # conditions
IN_TIME = ("original", "matched", "unmatched_key")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One row of mixes.parquet (paper: Huang et al., AAAI 2021, section 3)."""

    mix_id: str
    condition: str
    vocal: tuple[str, ...]  # stem_ids
    harmonic: tuple[str, ...]
    percussion: tuple[str, ...]
    semitones: int = 0
    ratio_h: float = 1.0
    ratio_p: float = 1.0
    offset_s: float = 0.0
    offset_role: str = ""  # harmonic | percussion, "" where offset_s is 0
    common_semitones: int = 0
    common_ratio: float = 1.0
    stretch: Stretch = "global"
    artefact_control: bool = False
    duration_s: float = 0.0  # before the common ratio; the sound lasts duration_s / common_ratio
    seed: int = 0
    split: str = ""

    def __post_init__(self) -> None:
        """Accept the lists that Parquet gives."""
        for role in ("vocal", "harmonic", "percussion"):
            object.__setattr__(self, role, tuple(getattr(self, role)))

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Recipe:
        """Build a recipe from a named row of the table mixes."""
        return cls(**row)

    def row(self) -> dict[str, Any]:
        """Return the row of the table mixes."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    def tempo_ratio(self, role: str) -> float:
        """Return by how much the tempo of a role is multiplied, without the common ratio."""
        return {"vocal": 1.0, "harmonic": self.ratio_h, "percussion": self.ratio_p}[role]

    def stem_ids(self, role: str) -> tuple[str, ...]:
        """Return the stems that sound in a role."""
        return {"vocal": self.vocal, "harmonic": self.harmonic, "percussion": self.percussion}[role]


def recipes_of(database: MashupDB, split: str, *, artefact_control: bool) -> list[Recipe]:
    """Return the recipes of a split ("all": of every one) with one kind of artefact control."""
    rows = database.mixes.filter(pl.col("artefact_control") == artefact_control)
    if split != "all":
        rows = rows.filter(pl.col("split") == split)
    return [Recipe.from_row(row) for row in rows.iter_rows(named=True)]
