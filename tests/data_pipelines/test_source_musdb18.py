"""MUSDB18 and MUSDB18-HQ in the layout of their archives."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import soundfile

from data_pipelines.mashupdb.song_clips import Task
from data_pipelines.mashupdb.stage import build
from data_pipelines.sources import musdb18
from data_pipelines.sources.musdb18 import STREAMS
from mashnet.audio.io import read_audio
from mashnet.data.splits import split_of
from mashnet.errors import MashnetError

RATE_HZ = 44100
TONES_HZ = dict(zip(STREAMS, (300, 500, 700, 900, 1100), strict=True))
needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg")


def tone(name: str, duration_s: float = 2.0, level: float = 0.1) -> np.ndarray:
    """Return stereo (samples, 2); every stem has its own pitch."""
    time_s = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    wave = level * np.sin(2 * np.pi * TONES_HZ[name] * time_s)
    return np.stack([wave, 0.5 * wave], axis=1)


def pitch_hz(audio: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(audio[0]))
    return float(spectrum.argmax() * RATE_HZ / audio.shape[1])


def hq_song(folder: Path, names: tuple[str, ...] = STREAMS, **kwargs: float) -> Path:
    """Write Artist - Title/{mixture,drums,bass,other,vocals}.wav."""
    folder.mkdir(parents=True)
    for name in names:
        soundfile.write(folder / f"{name}.wav", tone(name, **kwargs), RATE_HZ)
    return folder


def stem_mp4(path: Path) -> Path:
    """Write the five AAC streams of a *.stem.mp4."""
    path.parent.mkdir(parents=True, exist_ok=True)
    command = ["ffmpeg", "-v", "error"]
    for name in STREAMS:
        wav = path.parent / f".{name}.wav"
        soundfile.write(wav, tone(name), RATE_HZ)
        command += ["-i", str(wav)]
    for index in range(len(STREAMS)):
        command += ["-map", f"{index}:a"]
    subprocess.run([*command, "-c:a", "aac", "-b:a", "256k", str(path)], check=True)
    for name in STREAMS:
        (path.parent / f".{name}.wav").unlink()
    return path


@pytest.fixture
def root(tmp_path) -> Path:
    """Return MUSDB18-HQ with one song in either subset."""
    hq_song(tmp_path / "musdb18hq" / "train" / "Actions - One Minute Smile")
    hq_song(tmp_path / "musdb18hq" / "test" / "Al James - Schoolboy Facination", level=0.05)
    return tmp_path / "musdb18hq"


def test_wav_folders_become_four_stems_with_their_roles(make, root, tmp_path, quick_tracker):
    config = make.pipeline(root, tmp_path / "db", "clip.min_s=1", source="musdb18")
    database = build(config)
    assert database.rejects.height == 0
    clips = {row["title"]: row for row in database.clips.iter_rows(named=True)}
    assert set(clips) == {"One Minute Smile", "Schoolboy Facination"}
    assert clips["One Minute Smile"]["artist"] == "Actions"
    assert clips["Schoolboy Facination"]["split"] == "test"
    assert clips["One Minute Smile"]["split"] == split_of("Actions", test=0.0)
    assert clips["One Minute Smile"]["source"] == "musdb18"
    assert "educational use only" in clips["One Minute Smile"]["license"]
    for row in clips.values():
        stems = database.stems.filter(pl.col("clip_id") == row["clip_id"])
        assert dict(stems.select("label", "role").rows()) == {
            "vocals": "vocal",
            "drums": "percussion",
            "bass": "harmonic",
            "other": "harmonic",
        }
        for label, path in stems.select("label", "path").iter_rows():
            audio, _ = read_audio(tmp_path / "db" / path)
            assert pitch_hz(audio) == pytest.approx(TONES_HZ[label], abs=1)


@needs_ffmpeg
def test_a_stem_mp4_is_read_stream_by_stream(make, tmp_path, quick_tracker):
    stem_mp4(tmp_path / "musdb18" / "train" / "A Classic Education - NightOwl.stem.mp4")
    (tmp_path / "musdb18" / "test").mkdir()
    (tmp_path / "musdb18" / "README.md").write_text("MUSDB18")
    out = tmp_path / "db"
    config = make.pipeline(tmp_path / "musdb18", out, "clip.min_s=1", source="musdb18")
    database = build(config)
    assert database.rejects.height == 0
    assert database.clips["title"].to_list() == ["NightOwl"]
    assert database.stems["stem_id"].n_unique() == 4
    for label, path in database.stems.select("label", "path").iter_rows():
        assert path.endswith(f"/{label}.flac")
        audio, _ = read_audio(out / path)
        assert pitch_hz(audio) == pytest.approx(TONES_HZ[label], abs=1)
        assert audio.shape == (2, pytest.approx(2 * RATE_HZ, abs=2048))
        levels = np.sqrt(np.square(audio[:, RATE_HZ // 2 : RATE_HZ]).mean(axis=1))
        assert levels == pytest.approx([0.1 / 2**0.5, 0.05 / 2**0.5], rel=0.03)


@needs_ffmpeg
def test_a_damaged_stem_mp4_is_a_reject_with_the_stems_named(make, root, tmp_path, quick_tracker):
    path = stem_mp4(root / "train" / "Torn - Apart.stem.mp4")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    database = build(make.pipeline(root, tmp_path / "db", "clip.min_s=1", source="musdb18"))
    assert database.clips.height == 2
    reasons = dict(database.rejects.select("input", "reason").rows())
    assert reasons.pop(str(path)) == "has no usable stem"
    assert set(reasons) == {f"{path} ({name})" for name in STREAMS[1:]}
    assert all("cannot be decoded" in reason for reason in reasons.values())


def test_without_ffmpeg_the_run_ends_with_advice(make, root, monkeypatch):
    (root / "train" / "Actions - Other.stem.mp4").write_bytes(b"five streams")
    monkeypatch.setattr(musdb18, "ffmpeg_is_installed", lambda: False)
    with pytest.raises(MashnetError, match=r"apt install ffmpeg.*MUSDB18-HQ is read without it"):
        make.found("musdb18", root)


def test_the_official_split_can_be_left_for_the_hash_of_the_artist(make, root):
    train, test = make.found("musdb18", root)[0]
    assert (train.splits, test.splits) == (("train", "val"), ("test",))
    train, test = make.found("musdb18", root, "source.official_split=false")[0]
    assert train.splits == test.splits == ("train", "val", "test")


def test_validation_songs_come_from_train_by_artist(make, tmp_path, quick_tracker):
    for index in range(8):
        for song in range(2):
            folder = tmp_path / "m" / "train" / f"Artist {index} - Song {song}"
            hq_song(folder, ("drums", "bass"), level=0.02 + 0.005 * (2 * index + song))
    hq_song(tmp_path / "m" / "test" / "Artist 0 - Held out")
    settings = ["clip.min_s=1", "split.val=0.5"]
    database = build(make.pipeline(tmp_path / "m", tmp_path / "db", *settings, source="musdb18"))
    splits = {(row["artist"], row["split"]) for row in database.clips.iter_rows(named=True)}
    assert len(splits) == 9  # both songs of an artist are in one split
    expected = {f"Artist {i}": split_of(f"Artist {i}", val=0.5, test=0.0) for i in range(8)}
    assert set(expected.values()) == {"train", "val"}
    assert splits == {*expected.items(), ("Artist 0", "test")}


@pytest.mark.parametrize(
    ("title", "artist", "group"),
    [
        ("Triviul feat. The Fiend - Widow", "Triviul feat. The Fiend", "Triviul"),
        ("The Easton Ellises (Baumi) - SDRNR", "The Easton Ellises (Baumi)", "The Easton Ellises"),
        ("PR - Oh No", "PR", "PR"),
        ("Nameless", "", "Nameless"),
    ],
)
def test_songs_of_one_artist_share_a_group(make, tmp_path, title, artist, group):
    hq_song(tmp_path / "train" / title)
    ((song,), _) = make.found("musdb18", tmp_path)
    assert (song.artist, song.group) == (artist, group)


def test_what_is_not_as_it_should_be_gets_one_line_each(make, root):
    hq_song(root / "train" / "No - Bass", ("mixture", "drums", "other", "vocals"))
    hq_song(root / "train" / "Mixture - Only", ("mixture",))
    soundfile.write(hq_song(root / "train" / "One - More") / "theremin.wav", tone("other"), RATE_HZ)
    soundfile.write(root / "train" / "loose.wav", tone("other"), RATE_HZ)
    (root / "train" / "Actions - One Minute Smile.stem.mp4").write_bytes(b"the same song")
    shutil.rmtree(root / "test")
    songs, rejects = make.found("musdb18", root)
    assert rejects == [
        ("test", "is not there, its songs are missing"),
        ("train/Actions - One Minute Smile.stem.mp4",
         "the folder Actions - One Minute Smile beside it is used"),
        ("train/Mixture - Only", "holds no stems"),
        ("train/No - Bass", "lacks bass; the song is used without"),
        ("train/One - More/theremin.wav",
         "'theremin' matches no pattern of source.roles; kept, but in no mix"),
        ("train/loose.wav", "is neither a *.stem.mp4 nor a folder of stems"),
    ]  # fmt: skip
    assert [song.title for song in songs] == ["One Minute Smile", "Bass", "More"]
    assert [len(song.stems) for song in songs] == [4, 3, 5]
    assert {stem.label: stem.kind for stem in songs[2].stems}["theremin"] == ""


def test_a_root_that_is_something_else_says_which_folder_is_meant(make, tmp_path):
    (tmp_path / "musdb18").mkdir()
    with pytest.raises(MashnetError, match=r"neither a folder train nor .* musdb18\.zip"):
        make.found("musdb18", tmp_path)


def test_songs_that_cannot_be_used_are_rejects(make, root, tmp_path, quick_tracker):
    """One stem only; all of them silent; lengths that do not agree; the good songs stay."""
    hq_song(root / "train" / "Solo - Drums", ("mixture", "drums"))
    hq_song(root / "train" / "John - 4'33", level=0.0)
    torn = hq_song(root / "train" / "Torn - Apart", ("drums", "bass"))
    soundfile.write(torn / "bass.wav", tone("bass", duration_s=6.0), RATE_HZ)
    quiet = hq_song(root / "train" / "Nearly - Silent", ("drums", "vocals"), level=0.03)
    soundfile.write(quiet / "vocals.wav", 0 * tone("vocals"), RATE_HZ)
    database = build(make.pipeline(root, tmp_path / "db", "clip.min_s=1", source="musdb18"))
    assert database.clips.height == 2
    reasons = {
        (Path(row["input"]).name, row["reason"])
        for row in database.rejects.iter_rows(named=True)
        if row["stage"] == "stems" and not row["input"].endswith(".wav")
    }
    assert reasons == {
        ("Solo - Drums", "has 1 usable stem (drums), source.min_stems=2"),
        ("John - 4'33", "has no usable stem"),
        ("Torn - Apart", "its stems differ in length: 2.0, 6.0 s"),
        ("Nearly - Silent", "has 1 usable stem (drums), source.min_stems=2"),
    }
    silent = database.rejects.filter(pl.col("reason").str.starts_with("silent"))
    assert silent.height == 5


def test_a_song_record_does_not_depend_on_what_the_split_was_chosen_from(make, root, tmp_path):
    """Databases of an earlier version stay valid: nothing new in the key unless it matters."""
    song = make.found("musdb18", root)[0][0]
    free = make.found("musdb18", root, "source.official_split=false")[0][0]
    settings = {"digests": ("a", "b", "c", "d"), "out": tmp_path, "min_s": 1.0, "max_s": 60.0}
    records = {Task(song=each, split="train", **settings).record for each in (song, free)}
    assert len(records) == 1
