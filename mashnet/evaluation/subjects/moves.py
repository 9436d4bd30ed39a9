"""Ways of moving the roles of a mix away from where they belong, and how far."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from mashnet.data.mashupdb import ROLES

ALL = "all"


@dataclass(frozen=True)
class Move:
    """How one role of a mix is moved against where it belongs, in a musician's units."""

    semitones: int = 0
    tempo_percent: float = 0.0  # positive: faster
    beats: float = 0.0  # of the vocal's tempo; positive: later


@dataclass(frozen=True)
class Kind:
    """One way of moving a role."""

    name: str
    setting: str  # that lists the amounts
    move: Callable[[float], Move]
    unit: str  # for axes
    roles: tuple[str, ...]
    distances: Mapping[float, str]  # where falls are reported → how metrics name it

    def reported(self, amounts: np.ndarray) -> list[tuple[float, str]]:
        """Return the distances that the chosen moves contain, and their names."""
        return [(d, name) for d, name in self.distances.items() if np.isclose(amounts, d).any()]


KINDS = (
    Kind(
        "pitch",
        "semitones",
        lambda amount: Move(semitones=round(amount)),
        "semitones",
        ("vocal", "harmonic"),
        {1: "1_semitone", 6: "6_semitones"},
    ),
    Kind(
        "tempo",
        "tempo_percent",
        lambda amount: Move(tempo_percent=float(amount)),
        "% of tempo",
        ROLES,
        {10: "10_percent", 30: "30_percent"},
    ),
    Kind(
        "beats",
        "beats",
        lambda amount: Move(beats=float(amount)),
        "beats",
        ROLES,
        {0.5: "half_beat", 1: "1_beat"},
    ),
)


def points(amounts: Mapping[str, np.ndarray]) -> Iterator[tuple[Kind, str, float]]:
    """Yield every point of every curve: the kind of move, the moved role (or all), the amount."""
    for kind in KINDS:
        for role in (*kind.roles, ALL):
            for amount in amounts[kind.name]:
                yield kind, role, amount


def moves_of(kind: Kind, role: str, amount: float) -> tuple[tuple[str, Move], ...]:
    """Return the move of each role; the unmoved mix is one and the same for all curves."""
    moved = kind.move(amount)
    return tuple((r, moved if role in (ALL, r) else Move()) for r in ROLES)
