"""Recipes: a mix as a row, before it is sound.

A recipe names the stems of each role and how each role moves. Times and moves, in order:

1. harmonic stems are shifted by `semitones` (vocal and percussion are not);
2. harmonic and percussion are stretched so that their tempo is multiplied by `ratio_h` and
   `ratio_p` (1.0: untouched). With `stretch="beatwise"` each beat of the stem is moved onto the
   corresponding beat of the vocal instead, and the ratios only say how fast that is on average;
3. each role is moved in time so that its first downbeat falls on the vocal's first downbeat,
   then the role named in `offset_role` is moved by a further `offset_s` (positive: later);
   what would lie before the vocal's start is cut, what is missing is silence;
4. all three roles are cut to `duration_s`, counted from the vocal's start;
5. everything is moved together by `common_semitones` and `common_ratio` (tempo multiplier), which
   leaves the music alone but passes every stem through the stretch engine.

Steps 1, 2 and 5 are done in one pass of the engine per stem. With `artefact_control` every
stem of every condition passes the engine (the common move of each recipe is drawn from the same
distribution), so that the traces of processing say nothing about the condition.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Role = Literal["vocal", "harmonic", "percussion"]
Stretch = Literal["global", "beatwise"]


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
    duration_s: float = 0.0  # before the common ratio
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

    def stem_ids(self, role: Role) -> tuple[str, ...]:
        """Return the stems that sound in a role."""
        return {"vocal": self.vocal, "harmonic": self.harmonic, "percussion": self.percussion}[role]
