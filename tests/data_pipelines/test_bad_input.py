"""What a new user's folder may hold; the good song beside it is always processed."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import soundfile

from data_pipelines.mashupdb.__main__ import main
from data_pipelines.mashupdb.stage import build
from mashnet.errors import ConfigError, MashnetError

RATE_HZ = 22050
pytestmark = pytest.mark.usefixtures("quick_tracker")


@pytest.fixture
def root(make, tmp_path) -> Path:
    """Return a folder with one good song in it."""
    make.song(tmp_path / "music" / "good", 1)
    return tmp_path / "music"


def reasons(make, root: Path, out: Path) -> dict[str, str]:
    """Build the database; check that the good song is in it; return reject reasons by name."""
    database = build(make.pipeline(root, out))
    assert "good" in set(database.clips["title"])
    return {
        os.path.relpath(row["input"], root): f"{row['stage']}: {row['reason']}"
        for row in database.rejects.iter_rows(named=True)
    }


def test_an_empty_root_says_so_and_is_no_success(make, tmp_path):
    (tmp_path / "music").mkdir()
    with pytest.raises(MashnetError, match=r"music: nothing usable in it; 0 rejects"):
        build(make.pipeline(tmp_path / "music", tmp_path / "db"))


def test_a_root_that_is_not_there(make, tmp_path):
    with pytest.raises(MashnetError, match=r"source\.root: .*nowhere does not exist"):
        build(make.pipeline(tmp_path / "nowhere", tmp_path / "db"))


def test_an_empty_folder(make, root, tmp_path):
    (root / "empty").mkdir()
    assert reasons(make, root, tmp_path / "db") == {"empty": "source: has no audio files in it"}


def test_text_files_renamed_to_sound(make, root, tmp_path):
    (root / "texts").mkdir()
    for name in ("drums.wav", "bass.wav"):
        (root / "texts" / name).write_text(f"my {name}\n" * 100)
    found = reasons(make, root, tmp_path / "db")
    assert found["texts"] == "stems: has no usable stem"
    assert found["texts/bass.wav"].startswith("read: cannot be decoded")


def test_broken_stems_are_left_out_and_the_song_goes_on(make, root, tmp_path):
    folder = make.song(root / "hurt", 2, ("vocals", "bass", "drums", "other"), channels=2)
    soundfile.write(folder / "pad.flac", make.sound(9, channels=2), RATE_HZ)
    whole = (folder / "pad.flac").read_bytes()
    (folder / "pad.flac").write_bytes(whole[: len(whole) // 2])
    soundfile.write(folder / "bass.wav", np.zeros((0, 2)), RATE_HZ)
    spoiled = make.sound(3, channels=2)
    spoiled[5] = np.nan
    soundfile.write(folder / "other.wav", spoiled, RATE_HZ, subtype="FLOAT")
    soundfile.write(folder / "strings.wav", np.zeros((12 * RATE_HZ, 2)), RATE_HZ)
    (folder / "keys.wav").touch()
    found = reasons(make, root, tmp_path / "db")
    assert "cut short" in found.pop("hurt/pad.flac")
    assert found.pop("hurt/bass.wav") == "read: has no samples"
    assert "not finite" in found.pop("hurt/other.wav")
    assert found.pop("hurt/strings.wav") == "stems: silent: never above -60 dBFS"
    assert found.pop("hurt/keys.wav") == "read: is empty (0 bytes)"
    assert found == {}
    database = build(make.pipeline(root, tmp_path / "db"))
    hurt = database.clips.filter(pl.col("title") == "hurt")["clip_id"][0]
    labels = set(database.stems.filter(pl.col("clip_id") == hurt)["label"])
    assert labels == {"vocals", "drums"}


def test_a_silent_song(make, root, tmp_path):
    folder = root / "silence"
    folder.mkdir()
    soundfile.write(folder / "drums.wav", np.zeros(12 * RATE_HZ), RATE_HZ)
    assert reasons(make, root, tmp_path / "db")["silence"] == "stems: has no usable stem"


def test_odd_rates_depths_and_channels_are_welcome(make, root, tmp_path):
    folder = root / "odd"
    folder.mkdir()
    soundfile.write(folder / "drums.wav", make.sound(1, rate=8000), 8000, subtype="PCM_U8")
    soundfile.write(folder / "bass.wav", make.sound(2, channels=6), RATE_HZ)
    soundfile.write(folder / "vocals.wav", make.sound(3, rate=192000), 192000)
    assert reasons(make, root, tmp_path / "db") == {}
    database = build(make.pipeline(root, tmp_path / "db"))
    odd = database.clips.filter(pl.col("title") == "odd")["clip_id"][0]
    for row in database.stems.filter(pl.col("clip_id") == odd).iter_rows(named=True):
        info = soundfile.info(tmp_path / "db" / row["path"])
        assert (info.samplerate, info.format) == (44100, "FLAC")
        assert info.channels == (2 if row["label"] == "bass" else 1)
        assert info.frames == 12 * 44100


def test_a_clip_of_three_seconds(make, root, tmp_path):
    make.song(root / "short", 2, duration_s=3.0)
    assert reasons(make, root, tmp_path / "db") == {
        "short": "clips: lasts 3.0 s, less than clip.min_s=10"
    }


def test_names_in_any_alphabet_with_spaces_and_in_none(make, root, tmp_path):
    make.song(root / "Ночь  в 東京 🎵", 2, ("Ударные drums", "bass guitar (di) ñ", "голос vocals"))
    raw = Path(os.fsdecode(os.fsencode(root) + b"/latin \xe9"))
    raw.mkdir()
    for name, seed in (("drums", 31), ("bass", 32)):
        soundfile.write(os.fsencode(raw / f"{name}.wav"), make.sound(seed), RATE_HZ)
    assert reasons(make, root, tmp_path / "db") == {}
    database = build(make.pipeline(root, tmp_path / "db"))
    assert set(database.clips["title"]) == {"good", "Ночь  в 東京 🎵", "latin \\xe9"}
    assert all((tmp_path / "db" / path).is_file() for path in database.stems["path"])


def test_loops_of_symbolic_links_end(make, root, tmp_path):
    (root / "up").symlink_to(root)
    (root / "nested").mkdir()
    (root / "nested" / "round").symlink_to(root / "nested")
    (root / "self").symlink_to("self")
    (root / "gone").symlink_to("nothing here")
    found = reasons(make, root, tmp_path / "db")
    assert (
        found["up"]
        == found["nested/round"]
        == ("source: leads to a folder that was already visited")
    )
    assert "leads nowhere" in found["self"]
    assert "leads nowhere" in found["gone"]


def test_an_unreadable_file(make, root, tmp_path, monkeypatch):
    """Root may read everything, so the refusal is made up where the file is opened."""
    make.song(root / "locked", 2)
    opened = os.open

    def refusing(path: str | Path, *args, **kwargs):
        if Path(path).parent.name == "locked" and Path(path).name == "bass.wav":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return opened(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", refusing)
    assert reasons(make, root, tmp_path / "db") == {
        "locked/bass.wav": "read: cannot be read: Permission denied"
    }


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_must_not_be_read(make, root, tmp_path):
    make.song(root / "locked", 2).chmod(0)
    assert "cannot be looked into" in reasons(make, root, tmp_path / "db")["locked"]


def test_the_same_song_twice_names_the_first(make, root, tmp_path):
    make.song(root / "zz copy", 1)
    assert reasons(make, root, tmp_path / "db") == {
        "zz copy": f"duplicates: the same song as {root / 'good'}, byte for byte"
    }


def test_the_same_sound_in_another_format_is_the_same_song(make, root, tmp_path):
    folder = root / "zz flac"
    folder.mkdir()
    for path in (root / "good").iterdir():
        soundfile.write(folder / f"{path.stem}.flac", *soundfile.read(path))
    found = reasons(make, root, tmp_path / "db")
    assert found == {"zz flac": f"duplicates: sounds exactly like {root / 'good'}"}
    clips = {path.name for path in (tmp_path / "db" / "audio").iterdir()}
    assert len(clips) == 1  # the copy's audio is gone


def test_stems_of_different_lengths(make, root, tmp_path):
    folder = make.song(root / "uneven", 2)
    soundfile.write(folder / "drums.wav", make.sound(7, duration_s=12.4), RATE_HZ)
    soundfile.write(folder / "pad.wav", make.sound(8, duration_s=20.0), RATE_HZ)
    make.song(root / "torn", 3, ("vocals",))
    soundfile.write(root / "torn" / "drums.wav", make.sound(9, duration_s=30.0), RATE_HZ)
    found = reasons(make, root, tmp_path / "db")
    assert "lasts 20.0 s where the other stems last" in found["uneven/pad.wav"]
    assert found["torn"] == "stems: its stems differ in length: 12.0, 30.0 s"
    assert len(found) == 2


def test_stems_that_nobody_can_name_are_kept_and_listed(make, root, tmp_path):
    make.song(root / "strange", 2, ("vocals", "xyzzy"))
    found = reasons(make, root, tmp_path / "db")
    assert found["strange/xyzzy.wav"].startswith("roles: 'xyzzy' matches no pattern")
    database = build(make.pipeline(root, tmp_path / "db"))
    assert dict(database.stems.select("label", "role").rows())["xyzzy"] == ""


def test_loose_files_are_pointed_to_the_other_source(make, root, tmp_path):
    soundfile.write(root / "whole song.wav", make.sound(5), RATE_HZ)
    assert "source=songs" in reasons(make, root, tmp_path / "db")["whole song.wav"]


@pytest.mark.parametrize(
    ("meta", "reason"),
    [
        ("{not json", "cannot be read, the song is used without it"),
        ("[1, 2]", "does not hold a JSON object"),
        ('{"bpm_exact": "fast"}', "its annotations are not used: could not convert"),
        ('{"bpm_exact": -3}', "not a positive number"),
        ('{"beats": [1, 0.5]}', "beats does not increase"),
        ('{"key": "H moll"}', "'H moll' is not a key"),
        ('{"stems": 5}', "'stems' is not a list"),
    ],
)
def test_a_spoiled_meta_json_costs_only_what_it_says(make, root, tmp_path, meta, reason):
    (make.song(root / "noted", 2) / "meta.json").write_text(meta)
    assert reason in reasons(make, root, tmp_path / "db")["noted/meta.json"]
    assert "noted" in set(build(make.pipeline(root, tmp_path / "db")).clips["title"])


def test_too_loud_a_song_is_brought_down_by_one_gain(make, root, tmp_path):
    loud = root / "loud"
    loud.mkdir()
    for index, name in enumerate(("vocals", "drums")):
        soundfile.write(loud / f"{name}.wav", 30 * make.sound(50 + index), RATE_HZ, subtype="FLOAT")
    assert reasons(make, root, tmp_path / "db") == {}
    database = build(make.pipeline(root, tmp_path / "db"))
    clip_id = database.clips.filter(pl.col("title") == "loud")["clip_id"][0]
    stems = database.stems.filter(pl.col("clip_id") == clip_id)
    audio = [soundfile.read(tmp_path / "db" / path)[0] for path in stems["path"]]
    assert 0.9 < np.abs(sum(audio)).max() <= 1.0
    assert stems["rms_db"][0] == pytest.approx(stems["rms_db"][1], abs=0.2)


def test_no_space_left_is_one_line_that_names_the_path(make, root, tmp_path, monkeypatch):
    def full(self: Path, data: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(MashnetError, match=r"db/audio/.*\.flac: No space left on device"):
        build(make.pipeline(root, tmp_path / "db"))
    monkeypatch.undo()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
@pytest.mark.parametrize("fills_up_at", ["audio", "tables"])
def test_a_disk_that_is_really_full(make, root, tmp_path, quick_tracker, fills_up_at):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        if fills_up_at == "tables":
            make.song(root / "good", 1, duration_s=2.0)  # too short to leave any audio
            for number in range(600):  # folders without audio: a row of rejects each
                (root / f"empty {number} {os.urandom(60).hex()}").mkdir()
            (disk / "ballast").write_bytes(bytes(590 * 1024))
        with pytest.raises(MashnetError, match=rf"{disk}/.*: .*No space left on device"):
            build(make.pipeline(root, disk / "db"))
        assert not list(disk.rglob("*.partial*"))
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_clip_lengths_that_cannot_be_kept(make, root, tmp_path):
    with pytest.raises(ConfigError, match=r"clip\.max_s=15 must be at least twice clip\.min_s=10"):
        build(make.pipeline(root, tmp_path / "db", "clip.max_s=15"))


def check_refusal(status: object, said: str, message: str) -> None:
    assert status == 2
    assert message in said
    assert len(said.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("source=stmes", "source 'stmes' is not available. Did you mean 'stems'?"),
        ("clip.mim_s=3", "there is no setting 'mim_s' in clip. Did you mean 'min_s'?"),
        ("workers=many", "workers=many is not allowed: expected a whole number"),
    ],
)
def test_a_slip_ends_with_one_line_and_status_two(tmp_path, monkeypatch, capsys, setting, message):
    arguments = [setting, f"out={tmp_path}/db", f"source.root={tmp_path}"]
    monkeypatch.setattr(sys, "argv", ["mashupdb", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    check_refusal(ended.value.code, capsys.readouterr().err, message)


def test_the_program_ends_with_one_line_and_status_two(tmp_path):
    """The program itself, which has to start; who refuses is asked above."""
    command = [sys.executable, "-m", "data_pipelines.mashupdb", "source.root=/nowhere"]
    command.append(f"out={tmp_path}/db")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    check_refusal(done.returncode, done.stderr, "error: source.root: /nowhere does not exist")
