"""Which pairs of loops are classified and which are ranked, drawn by a seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mashnet.data.loops.loops import POSITIVE, STRATEGIES
from mashnet.data.parts import Group
from mashnet.errors import DatabaseError
from mashnet.evaluation.subjects.loops import LoopPair, LoopSource
from mashnet.invocation import setting


@dataclass(frozen=True)
class Draw:
    """One pair of each song: queries and candidates of one ranking."""

    pairs: list[LoopPair]

    def questions(self) -> list[tuple[Group, Group]]:
        """Return all queries with all candidates, query by query."""
        return [(one.query, other.candidate) for one in self.pairs for other in self.pairs]


def balanced(pairs: Sequence[LoopPair], source: LoopSource, *, seed: int) -> list[LoopPair]:
    """Return pairs that fit and as many negatives, every strategy equally often; drawn by a seed.

    Raises:
        DatabaseError: if a strategy has no negatives, or there are fewer than five pairs.
    """
    of = {
        strategy: [pair for pair in pairs if pair.strategy == strategy]
        for strategy in (POSITIVE, *STRATEGIES)
    }
    if absent := [strategy for strategy in STRATEGIES if not of[strategy]]:
        raise DatabaseError(
            f"{source.name}: no negatives of {', '.join(absent)} in the split {source.split}. Make "
            f"them with: python -m data_pipelines.negatives {setting('db', source.name)}"
        )
    each = min(len(of[POSITIVE]) // len(STRATEGIES), *(len(of[s]) for s in STRATEGIES))
    if not each:
        raise DatabaseError(
            f"{source.name}: {len(of[POSITIVE])} pairs in the split {source.split} are too few; "
            f"at least {len(STRATEGIES)} are needed"
        )
    random = np.random.default_rng(seed)
    counts = {POSITIVE: each * len(STRATEGIES)} | dict.fromkeys(STRATEGIES, each)
    return [
        of[strategy][index]
        for strategy, count in counts.items()
        for index in sorted(random.choice(len(of[strategy]), count, replace=False))
    ]


def validation_pairs(source: LoopSource, seed: int) -> list[LoopPair] | None:
    """Return balanced validation pairs, or None where there are none apart from the judged."""
    if source.split in ("val", "all"):
        return None
    try:
        return balanced(source.pairs("val"), source, seed=seed)
    except DatabaseError:
        return None


def draws_of_songs(
    pairs: Sequence[LoopPair], source: LoopSource, num_queries: int, num_draws: int, seed: int
) -> list[Draw]:
    """Draw one pair of each of some songs, several times.

    Args:
        pairs: from which; those that fit are drawn.
        source: for messages.
        num_queries: songs per draw, at most.
        num_draws: how many draws.
        seed: of the draws.

    Raises:
        DatabaseError: if fewer than two songs have pairs that fit.
    """
    by_song: dict[str, list[LoopPair]] = {}
    for pair in pairs:
        if pair.strategy == POSITIVE:
            by_song.setdefault(pair.song, []).append(pair)
    if len(by_song) < 2:
        raise DatabaseError(
            f"{source.name}: {len(by_song)} song(s) in the split {source.split} have pairs of "
            f"loops; a ranking needs the loops of at least two"
        )
    random = np.random.default_rng(seed)
    count = min(num_queries, len(by_song))
    draws = []
    for _ in range(num_draws):
        songs = sorted(random.choice(sorted(by_song), count, replace=False))
        draws.append(Draw([by_song[s][random.integers(len(by_song[s]))] for s in songs]))
    return draws
