"""The stage that reads a library in beat time ahead."""

from pathlib import Path

import pytest

from data_pipelines.beats.stage import CONFIG_DIR, make
from mashnet.commands.hydra_program import compose
from mashnet.data.phrases import beat_store
from mashnet.data.phrases.beat_store import BeatStore
from mashnet.data.phrases.pairs import music_side, vocal_side
from mashnet.errors import DatabaseError
from tests.metronome import MetronomeDB


def read(root: Path, *settings: str) -> BeatStore:
    return make(compose("beats", [f"db={root}", "workers=1", *settings], CONFIG_DIR))


def files(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (root / "cache/beats").rglob("*.npy")}


@pytest.fixture
def library(tmp_path):
    songs = MetronomeDB(tmp_path / "db")
    songs.add(tempo_bpm=100)
    songs.add(tempo_bpm=120)
    songs.add(beats=[], downbeats=[], title="Rubato")
    songs.add(downbeats=[0.1], title="One bar line")
    return songs.write()


def test_what_is_read_ahead_is_not_read_again(library, monkeypatch, capsys):
    read(library.root)
    # Vocal and music, and the harmonic stem beside the others: four sides of two clips.
    assert "8 sides of 4 clips in beat time" in capsys.readouterr().out
    before = files(library.root)
    monkeypatch.setattr(beat_store, "_encode", lambda _: pytest.fail("read again"))
    read(library.root)
    assert files(library.root) == before
    clips = [c for c in library.clip_rows if BeatStore(library).bars(c)]
    sides = [side(library, c) for c in clips for side in (vocal_side, music_side)]
    assert len(BeatStore(library).read(sides)) == 4


def test_clips_without_bars_and_damaged_stems_are_named_until_they_are_mended(library):
    path = library.root / "audio" / min(library.clip_rows) / "vocal.flac"
    clip = next(c for c in library.clip_rows if BeatStore(library).bars(c))
    path = library.root / "audio" / clip / "vocal.flac"
    sound = path.read_bytes()
    path.write_bytes(b"no sound")
    rows = read(library.root).database.rejects.sort("input").rows(named=True)
    assert {row["stage"] for row in rows} == {"beats"}
    reasons = {row["input"].split(" (")[0]: row["reason"] for row in rows}
    title = library.clip_rows[clip]["title"]
    assert set(reasons) == {title, "Rubato", "One bar line"}
    assert reasons["Rubato"] == "no beats" and "decoded" in reasons[title]
    assert reasons["One bar line"] == "no whole bar between its beats"
    path.write_bytes(sound)
    rows = read(library.root).database.rejects
    assert set(rows["reason"]) == {"no beats", "no whole bar between its beats"}


def test_worker_processes_read_the_same(library, tmp_path):
    read(library.root)
    before = files(library.root)
    for path in (library.root / "cache/beats").rglob("*.npy"):
        path.unlink()
    read(library.root, "workers=2")
    assert files(library.root) == before


def test_what_is_no_library_is_refused(tmp_path):
    with pytest.raises(DatabaseError, match="is not a MashupDB"):
        read(tmp_path)
