"""Names from outside become names of files that every system takes, and no path leaves a folder."""

import json
from pathlib import Path

import pytest

from data_pipelines.mashupdb.stage import build
from mashnet.errors import MashnetError
from mashnet.files import plain_name
from mashnet.listening.folder import read_json
from mashnet.listening.server import is_this_machine
from mashnet.listening.systems import _of_row
from mashnet.mashups.collection import read_collection

DEEP = "[" * 100_000


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Ça va?", "ca-va"),
        ("CON", "con-"),
        ("nul", "nul-"),
        ("COM1", "com1-"),
        ("lpt9.", "lpt9-"),
        ("con.2", "con-2"),
        ("console", "console"),
        ("../../etc/passwd", "etc-passwd"),
        ("C:\\Windows\\x", "c-windows-x"),
        ('a<b>:"|?*\x00\n', "a-b"),
        ("trailing. . ", "trailing"),
        ("歌", "stem"),
        ("", "stem"),
        ("x" * 300, "x" * 80),
    ],
)
def test_a_name_that_every_system_takes(text, name):
    assert plain_name(text, "stem") == name


@pytest.mark.usefixtures("quick_tracker")
def test_stems_that_are_called_like_devices_of_windows(make, tmp_path):
    names = ("CON.wav", "nul.wav", "vocals.wav", f"drums {'x' * 240}.wav")
    folder = make.song(tmp_path / "music" / "aux", 1, names)
    (folder / "meta.json").write_text(DEEP)
    database = build(make.pipeline(tmp_path / "music", tmp_path / "db"))
    found = sorted(Path(path).name for path in database.stems["path"])
    assert found == ["con-.flac", f"drums-{'x' * 74}.flac", "nul-.flac", "vocals.flac"]
    reasons = {Path(row["input"]).name: row["reason"] for row in database.rejects.to_dicts()}
    assert "the song is used without it" in reasons["meta.json"]


@pytest.mark.parametrize("audio", ["/etc/passwd", "../secret.flac", "link.flac", "a\0b", 5])
def test_a_collection_names_sound_of_its_own_folder_alone(tmp_path, audio):
    folder = tmp_path / "mashups"
    folder.mkdir()
    (tmp_path / "secret.flac").touch()
    (folder / "link.flac").symlink_to(tmp_path / "secret.flac")
    row = {"name": "x", "system": "s", "kind": "best", "rank": 1, "score": 1.0, "scores": {}}
    facts = {"technique": "", "engine": "", "base": {}, "guests": [], "audio": audio}
    with pytest.raises(MashnetError, match="leaves its folder|is none"):
        _of_row(folder, {**row, **facts})
    assert (
        _of_row(folder, {**row, **facts, "audio": "x.flac"}).path == (folder / "x.flac").resolve()
    )


@pytest.mark.parametrize("text", [DEEP, "{}", "[1]", json.dumps({"mashups": 5}), "\x00"])
def test_lists_of_mashups_and_tests_that_are_none(tmp_path, text):
    (tmp_path / "mashups.json").write_text(text)
    with pytest.raises(MashnetError, match="is no collection of mashups"):
        read_collection(tmp_path)
    with pytest.raises(MashnetError, match="expected a test"):
        read_json(tmp_path / "mashups.json", ("test",), "a test")


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("127.0.0.1", True),
        ("localhost", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.0.5", False),
        ("example.org", False),
    ],
)
def test_who_reaches_the_server(host, here):
    assert is_this_machine(host) is here
