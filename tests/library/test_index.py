"""Nearest neighbours by inner product."""

from __future__ import annotations

from pathlib import Path

import faiss
import numpy as np
import pytest

from mashnet.errors import DatabaseError
from mashnet.library.index import RECALL_GOAL, VectorIndex


def brute_force(vectors: np.ndarray, queries: np.ndarray, k: int) -> np.ndarray:
    return np.argsort(-(queries @ vectors.T), axis=1, kind="stable")[:, :k]


def clustered(count: int, dimensions: int, *, seed: int = 0) -> np.ndarray:
    """Groups of ten vectors each, of unit length."""
    random = np.random.default_rng(seed)
    centres = random.standard_normal((-(-count // 10), dimensions))
    vectors = np.repeat(centres, 10, axis=0)[:count]
    vectors = vectors + 0.5 * random.standard_normal(vectors.shape)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def chunks_of(vectors: np.ndarray) -> list[np.ndarray]:
    return np.array_split(vectors, [3, 1000, 1001])  # chunks of unlike lengths


def found_share(found: np.ndarray, truth: np.ndarray) -> float:
    return float(
        np.mean([len(set(a) & set(b)) / len(b) for a, b in zip(found, truth, strict=True)])
    )


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    return clustered(20_000, 50)


@pytest.fixture(scope="module")
def approximate(vectors: np.ndarray) -> VectorIndex:
    return VectorIndex.build(chunks_of(vectors), exact_up_to=1000)


def test_few_vectors_are_compared_exactly() -> None:
    vectors, queries = clustered(3000, 30), clustered(40, 30, seed=1)
    index = VectorIndex.build(chunks_of(vectors))
    assert index.is_exact
    assert len(index) == 3000
    scores, positions = index.search(queries, 10)
    assert (positions == brute_force(vectors, queries, 10)).all()
    expected = np.take_along_axis(queries @ vectors.T, positions, axis=1)
    assert scores == pytest.approx(expected, abs=1e-6)


def test_many_vectors_are_found_almost_always(
    vectors: np.ndarray, approximate: VectorIndex
) -> None:
    assert not approximate.is_exact
    random = np.random.default_rng(2)
    queries = vectors[::100] + 0.05 * random.standard_normal((200, 50)).astype(np.float32)
    scores, positions = approximate.search(queries, 10)
    assert found_share(positions, brute_force(vectors, queries, 10)) >= 0.95
    expected = np.take_along_axis(queries @ vectors.T, positions, axis=1)
    assert scores == pytest.approx(expected, abs=2e-3)  # vectors are kept in 16 bits
    assert (np.diff(scores, axis=1) <= 0).all()


def test_vectors_without_neighbours_take_more_effort_not_less_recall() -> None:
    random = np.random.default_rng(0)
    vectors = random.standard_normal((20_000, 64), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    index = VectorIndex.build([vectors], exact_up_to=1000)
    queries = random.standard_normal((100, 64), dtype=np.float32)
    _, positions = index.search(queries, 10)
    assert found_share(positions, brute_force(vectors, queries, 10)) >= 0.95
    easy = VectorIndex.build([clustered(20_000, 64)], exact_up_to=1000)
    assert index.measured.recall >= RECALL_GOAL
    assert index.measured.lists > easy.measured.lists


@pytest.mark.parametrize("k", [1, 100])
def test_how_many_are_asked_for_does_not_cost_recall(
    vectors: np.ndarray, approximate: VectorIndex, k: int
) -> None:
    queries = vectors[5::400]
    _, positions = approximate.search(queries, k)
    truth = brute_force(vectors, queries, k)
    # The 100 nearest lie beyond the group of ten, in lists that were not all looked into.
    assert found_share(positions, truth) >= (0.95 if k == 1 else 0.6)
    assert found_share(positions[:, :10], truth[:, :10]) >= 0.95


def test_a_kept_index_answers_as_the_built_one(
    tmp_path: Path, vectors: np.ndarray, approximate: VectorIndex
) -> None:
    path = tmp_path / "index.faiss"
    approximate.save(path)
    kept = VectorIndex.load(path, vectors.shape[1], len(vectors))
    for one, other in zip(
        approximate.search(vectors[:50], 10), kept.search(vectors[:50], 10), strict=True
    ):
        assert (one == other).all()
    assert not kept.is_exact


@pytest.mark.parametrize("harm", ["cut", "other", "empty"])
def test_a_damaged_index_is_refused(
    tmp_path: Path, vectors: np.ndarray, approximate: VectorIndex, harm: str
) -> None:
    path = tmp_path / "index.faiss"
    approximate.save(path)
    whole = path.read_bytes()
    path.write_bytes({"cut": whole[: len(whole) // 2], "other": b"x" * 5000, "empty": b""}[harm])
    with pytest.raises(DatabaseError, match=r"index\.faiss is damaged: .+"):
        VectorIndex.load(path, vectors.shape[1], len(vectors))


def test_an_index_of_other_vectors_is_refused(tmp_path: Path, approximate: VectorIndex) -> None:
    path = tmp_path / "index.faiss"
    approximate.save(path)
    with pytest.raises(DatabaseError, match="length 52, not 768"):
        VectorIndex.load(path, 768, len(approximate))


def test_building_again_gives_the_same_answers(
    vectors: np.ndarray, approximate: VectorIndex
) -> None:
    again = VectorIndex.build(chunks_of(vectors), exact_up_to=1000)
    assert (again.search(vectors[:50], 10)[1] == approximate.search(vectors[:50], 10)[1]).all()
    assert again.measured == approximate.measured


def test_no_vectors_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        VectorIndex.build([])


@pytest.mark.parametrize("harm", ["beyond", "negative", "twice", "another count", "another kind"])
def test_a_kept_index_that_names_other_vectors_is_refused(
    tmp_path: Path, vectors: np.ndarray, approximate: VectorIndex, harm: str
) -> None:
    """FAISS would read where such an id says, and end the process."""
    path = tmp_path / "index.faiss"
    approximate.save(path)
    count = len(vectors)
    index = faiss.read_index(str(path))
    lists = faiss.downcast_index(index.base_index).invlists
    number = next(n for n in range(lists.nlist) if lists.list_size(n) > 1)
    ids = faiss.rev_swig_ptr(lists.get_ids(number), lists.list_size(number))
    if harm == "another count":
        count += 1
    elif harm == "another kind":
        index = faiss.index_factory(index.d, "IDMap,Flat", faiss.METRIC_INNER_PRODUCT)
        index.add_with_ids(
            np.zeros((count, index.d), np.float32), np.arange(count, dtype=np.int64) + 10**9
        )
    else:
        ids[0] = {"beyond": 10**9, "negative": -5, "twice": ids[1]}[harm]
    faiss.write_index(index, str(path))
    with pytest.raises(DatabaseError, match=r"index\.faiss is damaged: it"):
        VectorIndex.load(path, vectors.shape[1], count)


@pytest.mark.parametrize(
    ("probed", "factor"),
    [
        (1 << 40, 20.0),
        (0, 20.0),
        (4, 1601.0),
        (4, 1e30),
        (4, float("nan")),
        (4, -1.0),
        (4, float("inf")),
    ],
)
def test_a_kept_index_with_settings_beyond_tuning_is_refused(
    tmp_path: Path, vectors: np.ndarray, approximate: VectorIndex, probed: int, factor: float
) -> None:
    """A search would ask for terabytes."""
    path = tmp_path / "index.faiss"
    approximate.save(path)
    assert len(VectorIndex.load(path, vectors.shape[1], len(vectors))) == len(vectors)
    index = faiss.read_index(str(path))
    index.k_factor = factor
    faiss.extract_index_ivf(index).nprobe = probed
    faiss.write_index(index, str(path))
    with pytest.raises(
        DatabaseError, match=r"index\.faiss is damaged: .*(looks|compares|k_factor)"
    ):
        VectorIndex.load(path, vectors.shape[1], len(vectors))


def test_an_exact_index_of_fewer_vectors_is_refused(tmp_path: Path) -> None:
    vectors = np.eye(8, dtype=np.float32)
    VectorIndex.build([vectors]).save(tmp_path / "index.faiss")
    assert len(VectorIndex.load(tmp_path / "index.faiss", 8, 8)) == 8
    with pytest.raises(DatabaseError, match="it holds 8 vectors, not 9"):
        VectorIndex.load(tmp_path / "index.faiss", 8, 9)
