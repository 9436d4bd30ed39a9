"""Caches of strangers that are links to somebody's files elsewhere: these are not read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mashnet.audio.io import write_flac
from mashnet.data.embedding_store import EmbeddingStore
from mashnet.data.loops.frontend import LoopFrontend
from mashnet.data.loops.packed_mels import PackedMels
from mashnet.data.mixes.features import FeatureStore
from mashnet.data.mixes.frontend import MixFrontend
from mashnet.data.mixes.part_store import StoredPart
from mashnet.data.parts import ArrayPart
from mashnet.data.stems.wave_store import WaveStore
from mashnet.errors import DatabaseError
from tests.conftest import make_tiny_database

RATE = 22_050
PART = ArrayPart(np.ones(RATE, np.float32), RATE)
MINE = "leaves its folder"


def moved(path: Path, target: Path) -> None:
    """Move a file, and leave a link to it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    path.rename(target)
    path.symlink_to(target)


def test_a_rendered_part(tmp_path: Path) -> None:
    def samples() -> np.ndarray:
        stored: Any = StoredPart(PART, tmp_path / "parts", "abcd", RATE)  # type: ignore[arg-type]
        return stored.waveform(RATE)

    write_flac(tmp_path / "parts" / "ab" / "abcd.flac", np.full((1, 100), 0.1, np.float32), RATE)
    honest = samples()
    assert len(honest) == 100
    moved(tmp_path / "parts" / "ab" / "abcd.flac", tmp_path / "parts" / "cd" / "x.flac")
    assert (samples() == honest).all()  # inside, links are followed
    moved(tmp_path / "parts" / "cd" / "x.flac", tmp_path / "mine.flac")
    with pytest.raises(DatabaseError, match=MINE):
        samples()


def test_a_waveform(tmp_path: Path) -> None:
    database = make_tiny_database(tmp_path / "db", songs=1)
    stem_id = database.stems["stem_id"][0]
    WaveStore(database, 8000).build([stem_id])
    (path,) = (tmp_path / "db" / "cache" / "waves").rglob("*.npy")
    assert WaveStore(database, 8000).num_samples(stem_id)
    moved(path, path.with_suffix(".kept"))
    assert WaveStore(database, 8000).num_samples(stem_id)
    moved(path.with_suffix(".kept"), tmp_path / "mine.npy")
    with pytest.raises(DatabaseError, match=MINE):
        WaveStore(database, 8000).read(stem_id, 0, 10)


def test_a_feature(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path / "features", MixFrontend(window_s=0.5))
    feature = store.feature_id([PART])
    store.build({feature: [PART]})
    assert store.open(feature).ndim == 2
    moved(store.path(feature), tmp_path / "mine.npy")
    with pytest.raises(DatabaseError, match=MINE):
        store.open(feature)


def test_packed_mels(tmp_path: Path) -> None:
    frontend = LoopFrontend(sample_rate=RATE, n_fft=1024, hop_length=1024, n_mels=16)
    store = PackedMels(tmp_path / "mels", frontend)
    loop = [ArrayPart(np.ones(2 * RATE, np.float32), RATE)]
    store.pack([loop], label="")
    (path,) = store.folder.glob("*.npy")
    moved(path, tmp_path / "mine.npy")
    with pytest.raises(DatabaseError, match="is a symbolic link"):
        store.pack([loop], label="")


def test_a_block_of_embeddings(tmp_path: Path) -> None:
    store, asked = EmbeddingStore(tmp_path / "model"), []

    def encode(keys: Any) -> Any:
        asked.extend(keys)
        return [np.ones((1, 3), np.float32) for _ in keys]

    (block,) = store.update(["a"], encode)
    moved(block.path, tmp_path / block.path.name)
    (again,) = store.update(["a"], encode)
    assert asked == ["a", "a"] and not again.path.is_symlink()
    assert (tmp_path / block.path.name).is_file()  # the link was removed, not what it led to
