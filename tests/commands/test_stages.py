"""From a folder of music to mashups in one command."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mashnet import mashup
from mashnet.commands import stages
from mashnet.errors import ConfigError, MashnetError
from mashnet.mashups.collection import read_collection

PEOPLE = Path(__file__).resolve().parents[2] / ".." / "shared" / "people" / "inputs.zip"


def folder(root: Path, *files: str) -> Path:
    """Return a folder with a second of noise in each file."""
    noise = np.random.default_rng(0).standard_normal(8000) * 0.1
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(root / file, noise, 8000)
    return root


@pytest.fixture
def called(monkeypatch) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    monkeypatch.setattr(stages, "run_stage", lambda *a, **how: found.append(a))
    return found


@pytest.mark.parametrize(
    ("files", "source"),
    [
        (("a/vocals.wav", "a/drums.wav", "b/bass.wav", "b/vocals.wav"), "stems"),
        (("Song_(Vocals).wav", "Song_(Instrumental).wav"), "stems"),
        (("Some Song.wav", "Another One.wav"), "songs"),
        (("Artist/Album/01 Opening.wav", "Artist/Album/02 Drums of War.wav"), "songs"),
    ],
)
def test_what_a_folder_holds_is_told(tmp_path, called, capsys, files, source) -> None:
    music = folder(tmp_path / "music, (live) = best", *files)
    stages.library_of_songs(music, tmp_path / "library")
    build, structure = called
    assert build[:2] == ("mashupdb", f"source={source}") and f"source.root={music}" in build
    assert structure == ("structure", f"db={tmp_path / 'library'}")
    assert "taken as" in capsys.readouterr().out


def test_who_says_what_it_is_is_believed(tmp_path, called) -> None:
    music = folder(tmp_path / "music", "a/vocals.wav", "a/drums.wav")
    stages.library_of_songs(music, tmp_path / "library", "songs")
    assert called[0][1] == "source=songs"
    with pytest.raises(ConfigError, match="Did you mean 'songs'"):
        stages.library_of_songs(music, tmp_path / "library", "song")


def test_a_folder_that_is_not_there_is_one_line(tmp_path) -> None:
    with pytest.raises(MashnetError, match="nowhere"):
        mashup.main([f"songs={tmp_path / 'nowhere'}", f"out={tmp_path / 'out'}"])


@pytest.mark.long  # tracks beats and finds sections of three songs, twice
def test_songs_as_people_have_them_become_mashups_that_play(tmp_path, capsys) -> None:
    if not PEOPLE.is_file():
        pytest.skip("the files of ../shared/people are not here")
    music = tmp_path / "music"
    with zipfile.ZipFile(PEOPLE) as inputs:
        inputs.extractall(tmp_path / "people")
    music.mkdir()
    for kind in ("03 vocals and the rest", "05 stem files"):
        for path in (tmp_path / "people" / kind).iterdir():
            path.rename(music / path.name)
    command = [f"songs={music}", f"out={tmp_path / 'out'}", "scorer=alignment", "top=4"]
    mashup.main([*command, "max_semitones=6"])
    made = [row["audio"] for row in read_collection(tmp_path / "out")]
    assert len(made) >= 2
    for name in made:
        sound, _ = soundfile.read(tmp_path / "out" / name)
        assert 0.5 < np.abs(sound).max() < 1 and np.sqrt((sound**2).mean()) > 0.02
    assert "0 songs were done before" in capsys.readouterr().out
    mashup.main([*command, "max_semitones=6"])
    assert "3 songs were done before" in capsys.readouterr().out
