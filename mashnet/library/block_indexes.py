"""The vectors of an embedding store behind indexes that are kept beside it.

A kept index is used as long as all of its blocks are there. Vectors that came since are compared
one by one until they are many; then the index is built anew, of all.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from mashnet.data.embedding_store import Block
from mashnet.errors import DatabaseError
from mashnet.files import content_id, write_json
from mashnet.library.index import EXACT_UP_TO, INDEX_VERSION, Rows, VectorIndex
from mashnet.storage.regular_files import read_json


class BlockIndexes:
    """An index of all blocks, or a kept one of most and one of those that came since."""

    def __init__(
        self,
        folder: Path,
        blocks: Sequence[Block],
        rows_of: Callable[[Block], Rows],
        *,
        unit: str,
        exact_up_to: int = EXACT_UP_TO,
        asked: np.ndarray | None = None,
    ) -> None:
        """Open what is kept, or build.

        Args:
            folder: where an index is kept.
            blocks: of the store; at least one.
            rows_of: returns the vectors of a block.
            unit: what a vector stands for, in messages.
            exact_up_to: with more vectors than this the search is approximate.
            asked: vectors like those that will be asked; None: like those of the blocks.
        """
        self._folder, self._exact_up_to, self._asked = folder, exact_up_to, asked
        self._rows = {block.path.name: rows_of(block) for block in blocks}
        self._blocks = blocks
        starts = np.cumsum([0, *map(len, self._rows.values())])
        self._starts = dict(zip(self._rows, starts.tolist(), strict=False))
        self._indexes = self._opened(unit)

    def __len__(self) -> int:
        """Return how many vectors there are."""
        return sum(map(len, self._rows.values()))

    @property
    def is_exact(self) -> bool:
        """Whether every vector is compared."""
        return all(index.is_exact for index, _ in self._indexes)

    def search(
        self, queries: np.ndarray, k: int, *, candidates: int | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the best k of each index for each query, in any order.

        Args:
            queries: shape (n, d).
            k: how many of each query, at most.
            candidates: as `VectorIndex.search` has it.

        Returns:
            Numbers of queries, inner products and positions among the vectors of all blocks, one
            after the other; of equal length.
        """
        found = []
        for index, blocks in self._indexes:
            scores, positions = index.search(queries, min(k, len(index)), candidates=candidates)
            starts = np.cumsum([0, *(len(self._rows[block.path.name]) for block in blocks)])
            query, rank = np.nonzero(positions >= 0)
            position = positions[query, rank]
            owner = np.searchsorted(starts, position, side="right") - 1
            here = np.array([self._starts[block.path.name] for block in blocks], np.int64)
            place = position - starts[owner] + here[owner]
            found.append((query, scores[query, rank], place))
        query, score, place = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return query, score, place

    def _opened(self, unit: str) -> list[tuple[VectorIndex, Sequence[Block]]]:
        kept = self._kept()
        rest = [block for block in self._blocks if not kept or block not in kept[1]]
        if sum(len(self._rows[block.path.name]) for block in rest) <= self._exact_up_to:
            return [*([kept] if kept else []), *([(self._built(rest), rest)] if rest else [])]
        print(f"building an index of {len(self)} {unit}s …", file=sys.stderr)
        index = self._built(self._blocks)
        names = [block.path.name for block in self._blocks]
        for old in [*self._folder.glob("index-*.json"), *self._folder.glob("index-*.faiss")]:
            old.unlink(missing_ok=True)
        path = self._folder / f"index-{content_id(INDEX_VERSION, names)}.faiss"
        index.save(path)
        write_json(path.with_suffix(".json"), names)
        return [(index, self._blocks)]

    def _kept(self) -> tuple[VectorIndex, Sequence[Block]] | None:
        by_name = {block.path.name: block for block in self._blocks}
        width = next(iter(self._rows.values())).shape[1]
        for listed in self._folder.glob("index-*.json"):
            path = listed.with_suffix(".faiss")
            try:
                names = read_json(listed)
                if path.stem != f"index-{content_id(INDEX_VERSION, names)}":
                    raise DatabaseError(f"{listed} is damaged: it does not match its name")
                if all(name in by_name for name in names):
                    count = sum(len(self._rows[name]) for name in names)
                    blocks = [by_name[name] for name in names]
                    return VectorIndex.load(path, width, count), blocks
            except (OSError, ValueError, DatabaseError) as error:
                print(f"{' '.join(str(error).split())}; built anew", file=sys.stderr)
        return None

    def _built(self, blocks: Sequence[Block]) -> VectorIndex:
        rows = [self._rows[block.path.name] for block in blocks]
        return VectorIndex.build(rows, exact_up_to=self._exact_up_to, asked=self._asked)
