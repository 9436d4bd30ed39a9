"""The stems of a library in a store, encoded once and searched through copies."""

from pathlib import Path

import numpy as np
import pytest

from mashnet.data.embedding_store import EmbeddingStore
from mashnet.files import write_json
from mashnet.library.index import VectorIndex
from mashnet.storage.paths import file_sizes, root_of

pytestmark = pytest.mark.enable_socket


def encode(keys: list[str]) -> list[np.ndarray]:
    return [np.full((2, 3), int(key), np.float32) for key in keys]


def never(keys: list[str]) -> list[np.ndarray]:
    raise AssertionError(f"{keys} are encoded already")


def test_embeddings_are_made_once_and_go_with_their_stems(bucket: str, tmp_path: Path) -> None:
    made = {}
    for folder in (tmp_path / "embeddings", root_of(bucket) / "embeddings"):
        store = EmbeddingStore(folder)
        store.update(["1", "2", "3"], encode)
        (block,) = EmbeddingStore(folder).update(["1", "3"], never)
        assert block.keys == ["1", "3"]
        assert (block.embeddings[:, 0, 0] == [1, 3]).all()
        made[folder] = file_sizes(folder)
    first, second = made.values()
    assert first == second  # names are hashes of the bytes


def test_an_index_is_searched_through_a_copy(bucket: str, tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).standard_normal((50, 8)).astype(np.float32)
    index = VectorIndex.build([vectors])
    path = root_of(bucket) / "index-0123.faiss"
    index.save(path)
    write_json(path.with_suffix(".json"), ["a"])
    loaded = VectorIndex.load(path, 8, 50)
    for ours, theirs in zip(
        loaded.search(vectors[:3], 5), index.search(vectors[:3], 5), strict=True
    ):
        assert np.array_equal(ours, theirs)
    assert len(list((tmp_path / "cache" / "copies").glob("??/*.faiss"))) == 1
