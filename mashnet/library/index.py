"""Which of many vectors have the largest inner product with a query: FAISS behind one class.

Up to `EXACT_UP_TO` vectors are compared one by one (IndexFlatIP). More are found in three steps:

1. the vectors are sorted into about √n lists (k-means), of which the nearest are looked into;
2. in these lists, inner products are estimated from one bit per dimension (product quantisation,
   four dimensions to 4 bits, read in registers);
3. the best of the estimates are compared anew with the vectors in 16 bits.

How many lists and how many candidates it takes depends on the vectors. That is measured when an
index is built: settings are tried from the cheapest on until the goal is reached, both for the
library's own vectors and for vectors half way between two of them, which lie near no other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import faiss
import numpy as np

from mashnet.errors import DatabaseError
from mashnet.files import written_atomically
from mashnet.library.whole_index import require_whole
from mashnet.storage.local_copies import read_mapped
from mashnet.storage.regular_files import require_regular

INDEX_VERSION = 1  # of the file that `save` writes
EXACT_UP_TO = 50_000  # vectors: about 7 ms for 768 dimensions on one core
RECALL_GOAL = 0.97  # of the 10 nearest, on the vectors that settings are tried with
NUM_NEIGHBOURS = 10  # what recall is measured at

_DIMENSIONS_PER_CODE = 4
_MAPPED = faiss.IO_FLAG_MMAP_IFC
_TRAINED_PER_LIST = 100
_TRIED_QUERIES = 100  # of each of the two kinds
_CANDIDATES = (200, 500, 1000, 2000, 4000, 10_000)  # FAISS reads no index with more for 10


class Rows(Protocol):
    """Vectors as an array of shape (rows, d) has them, read when they are looked at."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(rows, d)."""

    def __len__(self) -> int:
        """Return the number of rows."""

    def __getitem__(self, rows: np.ndarray, /) -> np.ndarray:
        """Return some rows."""

    def __array__(self, dtype: Any = None, /, *, copy: bool | None = None) -> np.ndarray:
        """Return all rows."""


@dataclass(frozen=True)
class Measured:
    """How well an index finds the 10 nearest of the vectors that it was tried with."""

    recall: float
    lists: int  # how many of them are looked into
    candidates: int  # how many vectors are compared anew


class VectorIndex:
    """Vectors by position, found by inner product."""

    def __init__(self, index: faiss.Index, dimensions: int, measured: Measured | None) -> None:
        """Wrap what `build` or `load` made; measured is None for an exact index."""
        self._index: Any = index
        self._dimensions = dimensions
        self.measured = measured

    @classmethod
    def build(
        cls,
        chunks: Sequence[Rows],
        *,
        exact_up_to: int = EXACT_UP_TO,
        asked: np.ndarray | None = None,
        seed: int = 0,
    ) -> VectorIndex:
        """Build from vectors that need not fit into memory at once.

        Args:
            chunks: arrays of shape (rows, d), memory-mapped for all it matters; a vector's
                position is its row in all of them, one after the other.
            exact_up_to: with more vectors than this the search is approximate.
            asked: vectors like those that will be asked, (n, d), to try settings with; None: they
                are like those of the chunks.
            seed: of the training sample and of the vectors that settings are tried with.

        Raises:
            ValueError: if there are no vectors.
        """
        count = sum(map(len, chunks))
        if not count:
            raise ValueError("an index needs at least one vector")
        dimensions = chunks[0].shape[1]
        if count <= exact_up_to:
            exact = faiss.IndexFlatIP(dimensions)
            for chunk in chunks:
                exact.add(_float32(chunk))
            return cls(exact, dimensions, None)
        random = np.random.default_rng(seed)
        padded = -(-dimensions // _DIMENSIONS_PER_CODE) * _DIMENSIONS_PER_CODE
        num_lists = 2 ** round(math.log2(math.sqrt(count)))
        index = faiss.index_factory(
            padded,
            f"IVF{num_lists},PQ{padded // _DIMENSIONS_PER_CODE}x4fs,Refine(SQfp16)",
            faiss.METRIC_INNER_PRODUCT,
        )
        lists = faiss.extract_index_ivf(index)
        # Codes of the vectors themselves: those of residuals need a table per list, whose 8 bits
        # then hold the lists' offsets too (measured: 0.82 against 0.97 on vectors at random).
        lists.by_residual = False
        lists.cp.niter = 10
        lists.cp.min_points_per_centroid = 1  # no warning where somebody wants a small one
        lists.cp.max_points_per_centroid = _TRAINED_PER_LIST
        lists.cp.seed = seed
        sample = np.sort(random.permutation(count)[: _TRAINED_PER_LIST * num_lists])
        index.train(_padded(_rows(chunks, sample), padded))
        for chunk in chunks:
            index.add(_padded(_float32(chunk), padded))
        built = cls(index, dimensions, None)
        built.measured = built._tune(chunks, random, asked)
        return built

    def search(
        self, queries: np.ndarray, k: int, *, candidates: int | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return inner products and positions, each (n, k), best first.

        Args:
            queries: shape (n, d).
            k: how many; where there are fewer vectors, positions of −1 fill the rows.
            candidates: how many vectors are compared anew, at least k; None: so many that all k
                are found as surely as 10 are.
        """
        queries = _padded(_float32(queries), self._index.d)
        if not isinstance(self._index, faiss.IndexRefine):
            return self._index.search(queries, k)
        # The setting says how many candidates there are for 10; no fewer for 1, more for 100.
        factor = self._index.k_factor
        try:
            if candidates is not None:
                self._index.k_factor = max(factor * NUM_NEIGHBOURS / k, candidates / k, 1.0)
            else:
                self._index.k_factor = max(factor * NUM_NEIGHBOURS / k, 4.0, factor * (k > 10))
            return self._index.search(queries, k)
        finally:
            self._index.k_factor = factor

    def __len__(self) -> int:
        """Return how many vectors there are."""
        return int(self._index.ntotal)

    @property
    def is_exact(self) -> bool:
        """Whether every vector is compared."""
        return not isinstance(self._index, faiss.IndexRefine)

    def save(self, path: Path) -> None:
        """Write one file, settings included, atomically."""
        with written_atomically(path) as temporary:
            faiss.write_index(self._index, str(temporary))

    @classmethod
    def load(cls, path: Path, dimensions: int, count: int) -> VectorIndex:
        """Open what `save` wrote; the vectors stay on disk until they are looked at.

        FAISS believes what such a file says, and an id beyond its vectors would end the process. So
        it must be made as `build` makes it, and name every position once.

        Args:
            path: the file.
            dimensions: of a vector.
            count: how many vectors there must be.

        Raises:
            DatabaseError: if the file is damaged, of other vectors, or no index of this module.
        """
        try:
            require_regular(path)
            index = read_mapped(path, lambda here: faiss.read_index(str(here), _MAPPED))
        except (OSError, RuntimeError, MemoryError) as error:
            raise DatabaseError(f"{path} is damaged: {_reason(error)}") from error
        if not dimensions <= index.d < dimensions + _DIMENSIONS_PER_CODE:
            raise DatabaseError(f"{path} holds vectors of length {index.d}, not {dimensions}")
        try:
            require_whole(index, count, most_factor=max(_CANDIDATES) / NUM_NEIGHBOURS)
        except (ValueError, RuntimeError, AttributeError, MemoryError) as error:
            raise DatabaseError(f"{path} is damaged: {_reason(error)}") from error
        return cls(index, dimensions, None)

    def _tune(
        self, chunks: Sequence[Rows], random: np.random.Generator, asked: np.ndarray | None
    ) -> Measured:
        """Set the cheapest settings that reach the goal, or the dearest, and say which."""
        lists = faiss.extract_index_ivf(self._index)
        tried = min(_TRIED_QUERIES, len(self))
        if asked is None:
            own, others = (_rows(chunks, random.permutation(len(self))[:tried]) for _ in range(2))
            between = own + others
            between /= np.maximum(np.linalg.norm(between, axis=1, keepdims=True), 1e-12)
            kinds = [own, between]
        else:
            kinds = [_float32(asked[random.permutation(len(asked))[:_TRIED_QUERIES]])]
        queries = np.concatenate(kinds)
        tenth = _nth_best(chunks, queries, NUM_NEIGHBOURS)
        settings = [(2**i, c) for i in range(30) for c in _CANDIDATES if 2**i <= lists.nlist]
        # One candidate costs about as much as estimating 100 vectors.
        settings.sort(key=lambda s: s[0] / lists.nlist * len(self) / 100 + s[1])
        for probed, candidates in settings:
            lists.nprobe = probed
            self._index.k_factor = candidates / NUM_NEIGHBOURS
            _, found = self.search(queries, NUM_NEIGHBOURS)
            scores = np.einsum(
                "nd,nkd->nk", queries, _rows(chunks, found.ravel()).reshape(*found.shape, -1)
            )
            # By score, not by position: of equal vectors any will do.
            right = (scores >= tenth[:, None] - 1e-6).mean(axis=1)
            right = right.reshape(len(kinds), -1).mean(axis=1)
            if right.min() >= RECALL_GOAL:
                break
        return Measured(float(right.min()), probed, candidates)


def _nth_best(chunks: Sequence[Rows], queries: np.ndarray, n: int) -> np.ndarray:
    """Return each query's n-th largest inner product, by comparing everything, (queries,)."""
    best = np.full((len(queries), n), -np.inf, np.float32)
    for chunk in chunks:
        scores = np.concatenate([best, queries @ _float32(chunk).T], axis=1)
        best = np.partition(scores, -n, axis=1)[:, -n:]
    return best.min(axis=1)


def _rows(chunks: Sequence[Rows], positions: np.ndarray) -> np.ndarray:
    """Return vectors by their positions, (positions, d)."""
    ends = np.cumsum([len(chunk) for chunk in chunks])
    which = np.searchsorted(ends, positions, side="right")
    found = np.empty((len(positions), chunks[0].shape[1]), np.float32)
    for number in np.unique(which):
        start = ends[number] - len(chunks[number])
        found[which == number] = chunks[number][positions[which == number] - start]
    return found


def _padded(vectors: np.ndarray, dimensions: int) -> np.ndarray:
    """Fill up with zeros, which change no inner product."""
    missing = dimensions - vectors.shape[1]
    return np.pad(vectors, ((0, 0), (0, missing))) if missing else vectors


def _float32(vectors: Rows) -> np.ndarray:
    return np.ascontiguousarray(vectors, dtype=np.float32)


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
