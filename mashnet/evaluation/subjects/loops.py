"""The pairs of loops of a MashupDB, as a protocol wants them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import polars as pl

from mashnet.data.loops.loops import POSITIVE, STRATEGIES, part_of
from mashnet.data.parts import Group
from mashnet.errors import DatabaseError
from mashnet.evaluation.subjects.split import DatabaseSplit
from mashnet.invocation import setting


@dataclass(frozen=True)
class LoopPair:
    """Two loops as a question to a Scorer.

    A drum loop takes the role percussion, any other the role harmonic, on either side.
    """

    pair_id: str
    song: str  # of the query
    strategy: str  # "together" fits; any other is how the negative was made
    query: Group
    candidate: Group


class LoopSource(Protocol):
    """Where the protocol gets pairs from."""

    name: str
    split: str

    def pairs(self, split: str | None = None) -> list[LoopPair]:
        """Return the pairs of a split, of all strategies; None: of the split that is evaluated."""


class DatabaseLoops(DatabaseSplit):
    """A LoopSource over one split."""

    def __init__(self, root: str | Path, *, split: str) -> None:
        """Open the database.

        Args:
            root: its folder.
            split: train, val, test, or all for every pair of a database not trained on.

        Raises:
            DatabaseError: if there is no such database, or there are no loops in it.
            ConfigError: if there is no such split.
        """
        super().__init__(root, split=split)
        if not len(self.database.pairs):
            raise DatabaseError(
                f"{root} has no pairs of loops. Make them with: "
                f"python -m data_pipelines.loops {setting('db', root)}"
            )
        self._loops = {row["loop_id"]: row for row in self.database.loops.iter_rows(named=True)}

    def pairs(self, split: str | None = None) -> list[LoopPair]:
        """Return the pairs of a split, of all strategies; None: of the split that is evaluated."""
        split = split or self.split
        wanted = self.database.pairs.filter(pl.col("strategy").is_in([POSITIVE, *STRATEGIES]))
        if split != "all":
            wanted = wanted.filter(pl.col("split") == split)
        return [
            LoopPair(
                pair_id=row["pair_id"],
                song=self._loops[row["loop_a"]]["song_id"],
                strategy=row["strategy"],
                query=self._group(row["loop_a"], "{}"),
                candidate=self._group(row["loop_b"], row["params"]),
            )
            for row in wanted.sort("pair_id").iter_rows(named=True)
        ]

    def _group(self, loop_id: str, params: str) -> Group:
        loop = self._loops[loop_id]
        role = "percussion" if loop["kind"] == "drum" else "harmonic"
        return {role: part_of(self.database, loop, params)}
