import json

import numpy as np
import polars as pl
import pytest
import soundfile

from benchmarks.guessed_roles import CLASSES, fitted, is_fitted_on
from data_pipelines.mashupdb import role_table
from data_pipelines.mashupdb.guessed_roles import Guess, guess_by_sound, guess_of
from data_pipelines.mashupdb.stage import build
from data_pipelines.synth.song import synthesise_song
from mashnet.audio.timbre import FEATURES, SAMPLE_RATE_HZ, timbre_of
from mashnet.data.mashupdb import MashupDB

RATE_HZ = 22050
GUESSES = {0.1: Guess("drums", 0.97), 0.2: Guess("bass", 0.9), 0.3: Guess("voice", 0.96)}


@pytest.fixture
def by_level(monkeypatch):
    """Let a stem's greatest sample tell what it sounds like; anything else is unsure."""

    def guess(audio, sample_rate):
        return GUESSES.get(round(float(np.abs(audio).max()), 1), Guess("", 0.4))

    monkeypatch.setattr("data_pipelines.mashupdb.guessed_roles.guess_by_sound", guess)


@pytest.fixture
def root(make, tmp_path):
    """A song with four names that say nothing, one that says "backing", and a bass."""
    folder = make.song(tmp_path / "in" / "song", names=("bass",))
    levels = {"Audio 1": 0.1, "Audio 2": 0.2, "Audio 3": 0.3, "Audio 4": 0.4, "backing": 0.1}
    for number, (name, level) in enumerate(levels.items()):
        sound = make.sound(number + 1)
        soundfile.write(folder / f"{name}.wav", level * sound / np.abs(sound).max(), RATE_HZ)
    return tmp_path / "in"


def roles(database) -> dict[str, tuple[str, bool]]:
    rows = database.stems.select("label", "role", "role_guessed").rows()
    return {label: (role, guessed) for label, role, guessed in rows}


def test_where_a_name_says_nothing_the_sound_does_and_it_is_said(
    make, root, tmp_path, quick_tracker, by_level, capsys
):
    database = build(make.pipeline(root, tmp_path / "db"))
    assert roles(database) == {
        "bass": ("harmonic", False),
        "Audio 1": ("percussion", True),
        "Audio 2": ("harmonic", True),
        "Audio 3": ("vocal", True),
        "Audio 4": ("", False),  # unsure
        "backing": ("", False),  # several roles, as its name says
    }
    said = {row["input"].rsplit("/", 1)[1]: row["reason"] for row in database.rejects.to_dicts()}
    assert set(said) == {f"Audio {number}.wav" for number in (1, 2, 3, 4)}  # one line each
    assert "by its sound it is drums (97 %), and used as such" in said["Audio 1.wav"]
    assert "kept, but in no mix" in said["Audio 4.wav"]
    out = capsys.readouterr().out
    assert "3 stems have names that say nothing and a role by their sound (" in out
    assert "percussion 1" in out and "source.guess_roles=false" in out


def test_guessing_can_be_turned_off_and_on_again(make, root, tmp_path, quick_tracker, by_level):
    off = make.pipeline(root, tmp_path / "db", "source.guess_roles=false")
    found = roles(build(off))
    assert found["Audio 1"] == found["Audio 3"] == ("", False)
    assert not any(guessed for _, guessed in found.values())
    assert roles(build(make.pipeline(root, tmp_path / "db")))["Audio 1"] == ("percussion", True)
    assert roles(build(off)) == found


def test_what_is_named_is_not_heard(make, tmp_path, quick_tracker, monkeypatch, capsys):
    """The opposite: a name that says something is believed, whatever it sounds like."""
    monkeypatch.setattr("data_pipelines.mashupdb.guessed_roles.guess_by_sound", None)
    make.song(tmp_path / "in" / "song", names=("vocals", "drums", "karaoke"))
    database = build(make.pipeline(tmp_path / "in", tmp_path / "db"))
    assert not database.stems["role_guessed"].any()
    assert "by their sound" not in capsys.readouterr().out


def test_a_database_of_an_earlier_version_opens(make, tmp_path, quick_tracker):
    make.song(tmp_path / "in" / "song")
    build(make.pipeline(tmp_path / "in", tmp_path / "db"))
    table = tmp_path / "db" / "stems.parquet"
    pl.read_parquet(table).drop("role_guessed").write_parquet(table)
    database = MashupDB.open(tmp_path / "db")
    assert database.stems["role_guessed"].to_list() == [False] * 3
    database.write_table("stems", database.stems)
    assert pl.read_parquet(table)["role_guessed"].to_list() == [False] * 3


def test_a_song_that_was_done_by_an_earlier_version_is_not_done_again(
    make, tmp_path, quick_tracker
):
    make.song(tmp_path / "in" / "song")
    build(make.pipeline(tmp_path / "in", tmp_path / "db"))
    (record,) = (tmp_path / "db" / "cache" / "songs").iterdir()
    rows = json.loads(record.read_text("utf-8"))
    rows.pop("version")
    for stem in rows["stems"]:
        stem.pop("role_guessed")
    record.write_text(json.dumps(rows), "utf-8")
    before = record.stat().st_mtime_ns
    database = build(make.pipeline(tmp_path / "in", tmp_path / "db"))
    assert record.stat().st_mtime_ns == before
    assert database.stems["role_guessed"].to_list() == [False] * 3


@pytest.mark.long  # 32 songs of it are measured by benchmarks/guessed_roles.py
def test_the_demo_band_is_not_mistaken():
    """Of four songs no drum is called pitched, no bass and no chord a drum; some are told."""
    told = 0
    for index in range(4):
        song = synthesise_song(0, index)
        for name in ("drums", "bass", "chords"):
            guess = guess_by_sound(song.stems[name][None], song.sample_rate)
            told += guess.what != ""
            assert guess.kind in ("", "percussion" if name == "drums" else "harmonic"), (
                index,
                name,
            )
    assert told >= 3


@pytest.mark.parametrize("gain", [1.0, 1e-3])
def test_the_level_decides_nothing(gain):
    song = synthesise_song(0, 1)
    drums = song.stems["drums"][None]
    one, other = (guess_by_sound(level * drums, song.sample_rate) for level in (1.0, gain))
    assert one.what == other.what
    assert one.probability == pytest.approx(other.probability, abs=1e-3)


@pytest.mark.parametrize("kind", ["noise", "silence", "a sine"])
def test_sounds_that_are_no_music_are_not_guessed(kind):
    time_s = np.arange(10 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    sounds = {
        "noise": np.random.default_rng(0).standard_normal(len(time_s)),
        "silence": np.zeros(len(time_s)),
        "a sine": np.sin(2 * np.pi * 7000 * time_s),
    }
    guess = guess_by_sound(sounds[kind][None].astype(np.float32), SAMPLE_RATE_HZ)
    assert guess == Guess("", 0.0)


def test_numbers_of_a_tone_and_of_strokes():
    time_s = np.arange(10 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    tone = np.float32(np.sin(2 * np.pi * 220 * time_s) + 0.5 * np.sin(2 * np.pi * 440 * time_s))
    strokes = np.zeros(len(time_s), np.float32)
    strokes[:: SAMPLE_RATE_HZ // 2] = 1.0  # two a second
    of_tone, of_strokes = (
        dict(zip(FEATURES, timbre_of(sound), strict=True)) for sound in (tone, strokes)
    )
    assert of_tone["pitch"] == pytest.approx(-1.0, abs=0.01)
    assert of_tone["glide"] < 0.01
    assert of_tone["pitched"] > 0.9 > of_strokes["pitched"]
    assert of_strokes["percussive"] > 0.9 > 0.1 > of_tone["percussive"]
    assert of_strokes["onsets"] == pytest.approx(2.0, abs=0.3)


def test_the_table_fits_the_features_and_a_fit_finds_what_is_there():
    numbers = len(FEATURES)
    assert list(FEATURES) == role_table.FEATURES
    for rows in (role_table.COEFFICIENTS, role_table.LOWEST, role_table.HIGHEST):
        assert [len(row) for row in rows] == [numbers] * len(CLASSES)
    draw = np.random.default_rng(0)
    rows = [
        {
            "truth": truth,
            "group": f"package {package}",
            "timbre": draw.normal(3.0 * (np.arange(numbers) == index), 0.3).tolist(),
        }
        for index, truth in enumerate(CLASSES)
        for package in range(3)
        for _ in range(10)
    ]
    table = fitted(rows)
    assert table["SURE_FROM"] == table["VOICE_FROM"] == 0.5
    logits = np.array(table["COEFFICIENTS"]) @ rows[0]["timbre"] + table["INTERCEPTS"]
    assert CLASSES[int(logits.argmax())] == rows[0]["truth"]
    assert len({is_fitted_on({"group": f"package {number}"}) for number in range(20)}) == 2


def test_at_the_middle_of_all_nothing_is_sure():
    middle = (np.array(role_table.LOWEST) + np.array(role_table.HIGHEST)).mean(axis=0) / 2
    assert guess_of(middle).what == ""
    assert guess_of(middle + 1000).what == ""
