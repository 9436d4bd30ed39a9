"""The program that chooses, renders and writes a page."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

from mashnet import mashup
from mashnet.data.mashupdb import MashupDB
from mashnet.errors import ConfigError, DatabaseError, MashnetError
from mashnet.mashups import collection, kept_scores
from mashnet.mashups.collection import read_collection
from tests.metronome import MetronomeDB


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    collected = MetronomeDB(tmp_path_factory.mktemp("mashups"))
    for tempo, tonic, title in ((120, 0, "One"), (120, 0, "<Two> & two"), (112, 3, "Three")):
        collected.add(tempo_bpm=tempo, tonic=tonic, title=title, duration_s=6)
    return collected.write().root


def run(library: Path, out: Path, *arguments: str) -> None:
    mashup.main([f"library={library}", "scorer=alignment", f"out={out}", *arguments])


def test_the_best_pairs_are_rendered_and_can_be_played(
    library: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(library, tmp_path, "top=4", "per_song=2")
    rows = read_collection(tmp_path)
    assert [row["rank"] for row in rows] == [1, 2, 3, 4]
    assert [row["score"] for row in rows] == sorted((r["score"] for r in rows), reverse=True)
    printed = capsys.readouterr().out
    assert "One with <Two> & two (vocal, +0)" in printed and "index.html" in printed
    page = (tmp_path / "index.html").read_text("utf-8")
    sources = re.findall(r'<audio [^>]*src="([^"]+)"', page)
    assert sources == [row["audio"] for row in rows]
    assert all(soundfile.info(str(tmp_path / name)).duration == 6 for name in sources)
    assert "&lt;Two&gt; &amp; two" in page and "http" not in page


def test_the_nearest_are_heard_first_and_it_is_said(
    library: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(library, tmp_path, "judged=2", "top=10")
    printed = capsys.readouterr().out
    assert "of 6 pairs the 2 were heard" in printed
    assert "2 instead of 10" in printed
    titles = {row["base"]["title"] for row in read_collection(tmp_path)}
    assert titles == {"One", "<Two> & two"}  # they need no move


def test_a_second_run_neither_listens_nor_renders(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(library, tmp_path, "top=3")
    before = read_collection(tmp_path)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("this was done already")

    monkeypatch.setattr(kept_scores, "score_groups", refuse)
    monkeypatch.setattr(collection, "render", refuse)
    run(library, tmp_path, "top=3")
    assert read_collection(tmp_path) == before


def test_stems_that_cannot_be_read_are_passed_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    collected = MetronomeDB(tmp_path / "db")
    broken = collected.add(duration_s=6)
    for _ in range(2):
        collected.add(duration_s=6)
    database = collected.write()
    run(database.root, tmp_path / "all", "top=6")  # its scores are known from here on
    (path,) = [
        s["path"] for s in collected.stems if s["clip_id"] == broken and s["role"] == "vocal"
    ]
    (database.root / path).write_bytes(b"no sound")
    run(database.root, tmp_path / "rest", "top=6")
    rows = read_collection(tmp_path / "rest")
    assert len(rows) == 4  # Song 0 as base, without its vocal, and the two others
    assert all(row["guests"][0]["clip_id"] != broken for row in rows)
    assert "warning: " in capsys.readouterr().err


def test_stems_that_no_scorer_can_read_are_passed_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    collected = MetronomeDB(tmp_path / "db")
    broken = next(iter([collected.add(duration_s=6) for _ in range(3)]))
    database = collected.write()
    paths = {s["role"]: s["path"] for s in collected.stems if s["clip_id"] == broken}
    (database.root / paths["vocal"]).write_bytes(b"no sound")
    run(database.root, tmp_path / "out", "top=6")
    rows = read_collection(tmp_path / "out")
    assert len(rows) == 4  # Song 0 as base, without its vocal, and the two others
    assert all(row["guests"][0]["clip_id"] != broken for row in rows)
    assert capsys.readouterr().err.count("warning: ") == 1
    for stem in collected.stems:
        (database.root / stem["path"]).write_bytes(b"no sound")
    for kept in (database.root / "cache" / "scores").iterdir():
        kept.unlink()
    with pytest.raises(DatabaseError, match="nothing could be rendered; first: .*vocal.flac"):
        run(database.root, tmp_path / "none")


def without_beats(folder: Path) -> Path:
    collected = MetronomeDB(folder)
    for _ in range(2):
        collected.add(beats=[], downbeats=[], duration_s=2)
    return collected.write().root


def test_songs_that_lack_something_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    collected = MetronomeDB(tmp_path / "db")
    for lacking in ({}, {}, {"key_tonic": None, "key_mode": None}, {"beats": [], "downbeats": []}):
        collected.add(duration_s=6, **lacking)
    collected.add(duration_s=6, tempo_bpm=120, roles=("harmonic",))
    twice = collected.add(duration_s=6, key_tonic=None)  # its other clip has all
    collected.add(duration_s=6)
    collected.clips[-1]["song_id"] = collected.clips[-2]["song_id"]
    assert twice == collected.clips[-2]["clip_id"]
    run(collected.write().root, tmp_path / "out", "top=1")
    assert (
        "note: 3 of 6 songs take no part: 1 with neither a vocal nor an accompaniment that "
        "sounds, 1 without a key, 1 without beats" in capsys.readouterr().out
    )


def test_a_library_of_nothing_leaves_an_earlier_choice_alone(library: Path, tmp_path: Path) -> None:
    run(library, tmp_path / "out", "top=2")
    before = read_collection(tmp_path / "out")
    with pytest.raises(DatabaseError, match="no vocal of one song"):
        run(without_beats(tmp_path / "db"), tmp_path / "out")
    assert read_collection(tmp_path / "out") == before


def test_one_line_for_input_that_is_not_as_it_should_be(library: Path, tmp_path: Path) -> None:
    cases: list[tuple[type[MashnetError], str, list[str]]] = [
        (ConfigError, "out=….*usage", [f"library={library}"]),
        (ConfigError, "songs=FOLDER or library=DB.*usage", [f"out={tmp_path / 'x'}"]),
        (ConfigError, "not key=value", ["library"]),
        (
            ConfigError,
            "tpo",
            [f"library={library}", "scorer=random", f"out={tmp_path / 'x'}", "tpo=3"],
        ),
        (
            ConfigError,
            "top=0",
            [f"library={library}", "scorer=random", f"out={tmp_path / 'x'}", "top=0"],
        ),
        (
            ConfigError,
            "technique",
            [f"library={library}", "scorer=random", f"out={tmp_path / 'x'}", "technique=y"],
        ),
        (
            ConfigError,
            "there is no such",
            [f"library={library}", "scorer=nobody", f"out={tmp_path / 'x'}"],
        ),
        (
            DatabaseError,
            "not a MashupDB",
            [f"library={tmp_path}", "scorer=random", f"out={tmp_path / 'x'}"],
        ),
        (
            DatabaseError,
            "no vocal of one song.*2 of 2 songs take no part: 2 without beats",
            [f"library={without_beats(tmp_path / 'db')}", "scorer=random", f"out={tmp_path / 'm'}"],
        ),
        (
            ConfigError,
            "cannot be written to",
            [f"library={library}", "scorer=random", f"out={library / 'manifest.json' / 'x'}"],
        ),
    ]
    for kind, message, arguments in cases:
        with pytest.raises(kind, match=message) as caught:
            mashup.main(arguments)
        assert "\n" not in str(caught.value)


def test_the_program_ends_with_one_line(tmp_path: Path) -> None:
    ended = subprocess.run(
        [
            sys.executable,
            "-m",
            "mashnet.mashup",
            f"library={tmp_path}",
            "scorer=random",
            f"out={tmp_path / 'x'}",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2 and ended.stderr.count("\n") == 1
    assert ended.stderr.startswith("error: ") and not MashupDB(tmp_path).root.joinpath("x").exists()
