"""Embeddings on disk: encoded once, whatever happens in between."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mashnet.data import embedding_store
from mashnet.data.embedding_store import Block, EmbeddingStore


class Encoder:
    """Counts what it is asked for; an embedding can be derived from its key."""

    def __init__(self, *, fail_after: int | None = None, windows: int = 1) -> None:
        self.asked: list[str] = []
        self.fail_after, self.windows = fail_after, windows

    def __call__(self, keys: Sequence[str]) -> Iterator[np.ndarray]:
        return map(self.encode, keys)

    def encode(self, key: str) -> np.ndarray:
        if len(self.asked) == self.fail_after:
            raise KeyboardInterrupt
        self.asked.append(key)
        return expected(key, self.windows)


def expected(key: str, windows: int = 1) -> np.ndarray:
    return np.random.default_rng(list(key.encode())).random((windows, 5), dtype=np.float32)


def rows(blocks: list[Block]) -> dict[str, np.ndarray]:
    found = [(key, row) for b in blocks for key, row in zip(b.keys, b.embeddings, strict=True)]
    assert len(dict(found)) == len(found)
    return {key: np.array(row) for key, row in found}


def assert_complete(blocks: list[Block], keys: list[str]) -> None:
    found = rows(blocks)
    assert set(found) == set(keys)
    for key in keys:
        assert (found[key] == expected(key)).all()


KEYS = [f"stem-{number}" for number in range(20)]


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding_store, "_MOST_ROWS", 4)


@pytest.fixture
def store(tmp_path: Path) -> EmbeddingStore:
    return EmbeddingStore(tmp_path / "library é" / "model")


def test_everything_is_encoded_once(store: EmbeddingStore) -> None:
    first, second = Encoder(), Encoder()
    assert_complete(store.update(KEYS, first), KEYS)
    assert sorted(first.asked) == sorted(KEYS)
    assert len(list(store.folder.iterdir())) == 5
    assert_complete(store.update(KEYS, second), KEYS)
    assert second.asked == []


def test_only_what_is_new_is_encoded_and_what_is_gone_is_dropped(store: EmbeddingStore) -> None:
    store.update(KEYS, Encoder())
    before = {path.name for path in store.folder.iterdir()}
    again = Encoder()
    wanted = [*KEYS[:9], *KEYS[10:], "new-1", "new-2"]
    assert_complete(store.update(wanted, again), wanted)
    assert again.asked == ["new-1", "new-2"]
    after = {path.name for path in store.folder.iterdir()}
    assert len(before - after) == 1  # the block that held what is gone
    assert_complete(store.update(wanted, Encoder(fail_after=0)), wanted)


def test_a_kill_costs_one_block(store: EmbeddingStore) -> None:
    with pytest.raises(KeyboardInterrupt):
        store.update(KEYS, Encoder(fail_after=11))
    again = Encoder()
    assert_complete(store.update(KEYS, again), KEYS)
    assert len(again.asked) == 20 - 8  # two blocks of four had been written


@pytest.mark.parametrize("harm", ["cut", "changed", "empty", "other"])
def test_a_damaged_block_is_encoded_anew(
    store: EmbeddingStore, capsys: pytest.CaptureFixture[str], harm: str
) -> None:
    blocks = store.update(KEYS, Encoder())
    path, lost = blocks[1].path, list(blocks[1].keys)
    whole = bytearray(path.read_bytes())
    changed = bytearray(whole)
    changed[-3] ^= 1
    harmed = {"cut": whole[:-7], "changed": changed, "empty": b"", "other": b"\x93NUMPY nonsense"}
    path.write_bytes(harmed[harm])
    again = Encoder()
    assert_complete(store.update(KEYS, again), KEYS)
    assert sorted(again.asked) == sorted(lost)
    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if "damaged" in line] == [
        f"{path} is damaged (its bytes do not match its name); its stems are encoded anew"
    ]


def table_of(kind: list[tuple[Any, ...]], count: int = 4) -> np.ndarray:
    table = np.zeros(count, np.dtype(kind))
    if table.dtype.names and "key" in table.dtype.names and table.dtype["key"].kind == "U":
        table["key"] = KEYS[:count]
    return table


FOREIGN: dict[str, Callable[[], np.ndarray]] = {
    "no fields": lambda: np.zeros((4, 5), np.float32),
    "other fields": lambda: table_of([("key", "U7"), ("vector", "<f4", (1, 5))]),
    "more fields": lambda: table_of([("key", "U7"), ("embedding", "<f4", (1, 5)), ("x", "<f4")]),
    "bytes": lambda: table_of([("key", "S7"), ("embedding", "<f4", (1, 5))]),
    "one axis": lambda: table_of([("key", "U7"), ("embedding", "<f4", (5,))]),
    "three axes": lambda: table_of([("key", "U7"), ("embedding", "<f4", (1, 1, 5))]),
    "float64": lambda: table_of([("key", "U7"), ("embedding", "<f8", (1, 5))]),
    "big-endian": lambda: table_of([("key", "U7"), ("embedding", ">f4", (1, 5))]),
    "no windows": lambda: table_of([("key", "U7"), ("embedding", "<f4", (0, 5))]),
    "wide": lambda: table_of([("key", "U7"), ("embedding", "<f4", (1, 6))]),
    "no rows": lambda: table_of([("key", "U7"), ("embedding", "<f4", (1, 5))], 0),
    "two axes of rows": lambda: table_of(
        [("key", "U7"), ("embedding", "<f4", (1, 5))],
    ).reshape(2, 2),
}


def keep(folder: Path, table: np.ndarray) -> Path:
    """Write a block that has the name of its bytes, as anybody can."""
    buffer = io.BytesIO()
    np.save(buffer, table)
    digest = hashlib.blake2b(buffer.getbuffer(), digest_size=16).hexdigest()
    (folder / f"{digest}.npy").write_bytes(buffer.getbuffer())
    return folder / f"{digest}.npy"


@pytest.mark.parametrize("kind", [*FOREIGN, "infinite", "twice"])
def test_a_strangers_block_is_encoded_anew(
    store: EmbeddingStore, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    store.folder.mkdir(parents=True)
    good = table_of([("key", "U7"), ("embedding", "<f4", (1, 5))])
    if kind == "infinite":
        good["embedding"][2, 0, 1] = np.inf
    elif kind == "twice":
        good["key"][1] = KEYS[0]
    path = keep(store.folder, FOREIGN[kind]() if kind in FOREIGN else good)
    again = Encoder()
    assert_complete(store.update(KEYS, again, width=lambda: 5), KEYS)
    assert again.asked == KEYS and not path.exists()
    assert f"{path} is damaged (" in capsys.readouterr().err
    assert_complete(store.update(KEYS, Encoder(fail_after=0), width=lambda: 5), KEYS)


def test_blocks_have_one_width(store: EmbeddingStore) -> None:
    store.update(KEYS[4:], Encoder())
    keep(store.folder, table_of([("key", "U7"), ("embedding", "<f4", (1, 9))]))
    again = Encoder()
    assert_complete(store.update(KEYS, again, width=lambda: 5), KEYS)
    assert again.asked == KEYS[:4]


def test_a_kill_between_dropping_and_deleting_is_harmless(store: EmbeddingStore) -> None:
    blocks = store.update(KEYS, Encoder())
    olds = {block.path: block.path.read_bytes() for block in blocks}
    wanted = [key for key in KEYS if not key.endswith("1")]
    store.update(wanted, Encoder(fail_after=0))
    for path, content in olds.items():
        path.write_bytes(content)  # as if the old blocks had not been deleted yet
    for _ in range(3):
        assert_complete(store.update(wanted, Encoder(fail_after=0)), wanted)
    on_disk = {path.name for path in store.folder.iterdir()}
    assert on_disk == {block.path.name for block in store.update(wanted, Encoder(fail_after=0))}


def test_stems_of_unlike_length_end_in_zeros(store: EmbeddingStore) -> None:
    lengths = {"a": 1, "b": 3, "c": 2}
    found = rows(
        store.update(list(lengths), lambda keys: [expected(key, lengths[key]) for key in keys])
    )
    for key, windows in lengths.items():
        assert found[key].shape == (3, 5)
        assert (found[key][:windows] == expected(key, windows)).all()
        assert not found[key][windows:].any()


def test_what_cannot_be_used_is_left_out_and_asked_for_again(store: EmbeddingStore) -> None:
    def usable(keys):
        return [None if key == KEYS[3] else expected(key) for key in keys]

    assert KEYS[3] not in rows(store.update(KEYS, usable))
    again = Encoder()
    assert_complete(store.update(KEYS, again), KEYS)
    assert again.asked == [KEYS[3]]


def test_large_embeddings_make_small_blocks(
    store: EmbeddingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding_store, "_MOST_BYTES", 100)  # an embedding has 20
    monkeypatch.setattr(embedding_store, "_MOST_ROWS", 1000)
    blocks = store.update(KEYS, Encoder())
    assert {len(block.keys) for block in blocks} == {5}
    assert_complete(blocks, KEYS)


def test_leftovers_of_a_kill_are_cleared(store: EmbeddingStore) -> None:
    store.update(KEYS[:1], Encoder())
    leftover = store.folder / ".0123.x.partial.npy"
    leftover.write_bytes(b"half")
    store.update(KEYS[:1], Encoder())
    assert not leftover.exists()


def test_nothing_wanted_is_nothing_stored(store: EmbeddingStore) -> None:
    assert store.update([], Encoder()) == []
    store.update(KEYS, Encoder())
    assert store.update([], Encoder()) == []
    assert list(store.folder.iterdir()) == []
