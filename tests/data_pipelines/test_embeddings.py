"""The stage that encodes a library ahead, with the smallest bundle that ships."""

from pathlib import Path

import polars as pl
import pytest

from data_pipelines.embeddings.stage import CONFIG_DIR, make
from mashnet.commands.hydra_program import compose
from mashnet.errors import ConfigError
from mashnet.library import search
from tests.conftest import make_tiny_database

CHECKPOINTS = Path(__file__).resolve().parents[2] / "checkpoints"


def encode(root: Path, *settings: str):
    settings = (f"checkpoint={CHECKPOINTS / 'contrastive'}", "workers=2", *settings)
    return make(compose("embeddings", [f"db={root}", *settings], CONFIG_DIR))


def files(root: Path) -> dict[str, bytes]:
    found = (root / "cache" / "embeddings").rglob("*.npy")
    return {path.name: path.read_bytes() for path in found}


def test_a_library_is_encoded_once_and_damaged_stems_are_named(tmp_path, capsys):
    database = make_tiny_database(tmp_path / "db", songs=3)
    stem_id, path = database.stems["stem_id", "path"].row(4)
    sound = database.audio_path(stem_id).read_bytes()
    database.audio_path(stem_id).write_bytes(b"no sound")
    library = encode(database.root)
    assert len(library) == len(database.stems) - 1
    (row,) = library.database.rejects.rows(named=True)
    assert row["input"] == path and row["stage"] == "embeddings" and "decoded" in row["reason"]
    assert "1 rejects" in capsys.readouterr().out
    before = files(database.root)
    encode(database.root, "workers=1")
    assert files(database.root) == before
    database.audio_path(stem_id).write_bytes(sound)  # mended
    library = encode(database.root)
    assert len(library) == len(database.stems) and library.database.rejects.is_empty()
    assert before.items() < files(database.root).items()


def test_what_was_encoded_ahead_is_what_is_searched(tmp_path, monkeypatch):
    database = make_tiny_database(tmp_path / "db", songs=2)
    encode(database.root)
    refuse = lambda stems: [pytest.fail("encoded again") for _ in stems]  # noqa: E731
    monkeypatch.setattr(search, "encoder", lambda _: refuse)
    first = database.audio_path(database.stems["stem_id"][0])
    found = search.retrieve(CHECKPOINTS / "contrastive", mix=first, library=database.root, top=3)
    assert isinstance(found, pl.DataFrame) and len(found) == 3


def test_a_network_that_judges_something_else_is_refused(tmp_path):
    database = make_tiny_database(tmp_path / "db", songs=1)
    with pytest.raises(ConfigError, match="judges mixes"):
        encode(database.root, f"checkpoint={CHECKPOINTS / 'premixnet'}")
