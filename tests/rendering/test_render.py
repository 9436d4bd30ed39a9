"""The program: what it writes, and what it says to input that is not as it should be."""

import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import soundfile

from mashnet import render
from mashnet.audio.io import write_flac
from mashnet.data.mashupdb import MashupDB
from mashnet.errors import AudioError, ConfigError, DatabaseError, MashnetError
from tests.metronome import RATE, MetronomeDB


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    collected = MetronomeDB(tmp_path_factory.mktemp("program"))
    collected.add(tempo_bpm=120, tonic=0, duration_s=12)
    collected.add(tempo_bpm=111, tonic=4, duration_s=14)
    collected.add(tempo_bpm=90, duration_s=5, beats=[], downbeats=[], tempo_bpm_unknown=None)
    for clip in collected.clips:
        clip.pop("tempo_bpm_unknown", None)
    return collected.write().root


def run(root: Path, out: Path, *arguments: str) -> None:
    render.main(["base=Song 0", f"library={root}", f"out={out}", *arguments])


def test_a_mashup_is_written_and_described(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, subtype in (("mash.wav", "PCM_24"), ("deep/mash.flac", "PCM_24")):
        out = tmp_path / name
        run(root, out, "vocals=Song 1", "technique=tempo+key")
        info = soundfile.info(str(out))
        assert info.subtype == subtype and info.frames == 12 * RATE
        assert np.abs(soundfile.read(str(out))[0]).max() < 10 ** (-1 / 20)
        printed = capsys.readouterr().out
        assert "Song 1" in printed and "-4 semitones" in printed and "dBTP" in printed
    assert sorted(p.name for p in tmp_path.iterdir()) == ["deep", "mash.wav"]


def test_drums_alone_are_said_to_keep_their_pitch(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(root, tmp_path / "mash.wav", "drums=Song 1", "technique=tempo+key")
    assert "percussion; +0 semitones" in capsys.readouterr().out


def test_songs_are_found_by_clip_by_song_and_by_title(root: Path, tmp_path: Path) -> None:
    for row in list(MashupDB.open(root).clips.iter_rows(named=True))[1:2]:
        for name in (row["clip_id"], row["song_id"], "song 1"):
            out = tmp_path / f"{name}.wav"
            run(root, out, f"vocals={name}", "technique=tempo")
            assert out.is_file(), name


def test_a_song_in_clips_gives_its_longest(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = MashupDB(tmp_path / "db")
    source = MashupDB.open(root)
    rows = source.clips.with_columns(song_id=pl.lit("one"), title=pl.lit("One"))
    database.write_table("clips", rows)
    database.write_table("stems", source.stems)
    database.update_manifest(counts={})
    (tmp_path / "db" / "audio").symlink_to(root / "audio")
    with pytest.raises(DatabaseError, match="leaves its folder"):
        render.main(["base=one", "vocals=one", f"library={database.root}", "out=x.wav"])
    (tmp_path / "db" / "audio").unlink()
    import shutil

    shutil.copytree(root / "audio", tmp_path / "db" / "audio")
    out = tmp_path / "x.wav"
    render.main(["base=One", "vocals=one", f"library={database.root}", f"out={out}"])
    assert "in 3 clips; the longest" in capsys.readouterr().err
    assert soundfile.info(str(out)).frames == 14 * RATE


def test_a_song_without_beats_still_renders_with_a_warning(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in (["base=Song 0", "vocals=Song 2"], ["base=Song 2", "vocals=Song 0"]):
        out = tmp_path / "beatless.wav"
        render.main([*arguments, f"library={root}", f"out={out}"])
        warned = capsys.readouterr().err
        assert "warning: Song 2 has no beats" in warned
        assert "has no sections" in warned or "laid on" in warned
        assert out.is_file()


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        (["vocals=Song 9"], DatabaseError, "no clip, song or title 'Song 9'.*Did you mean 'Song"),
        (["vocals"], ConfigError, "'vocals' is not key=value"),
        ([], ConfigError, "needs a guest"),
        (["vocals=Song 1", "technique=structur"], ConfigError, "Did you mean 'structure'"),
        (["vocals=Song 1", "engine=pedalboard"], ConfigError, "cannot follow beats"),
        (["vocals=Song 1", "out=mash.mp3"], AudioError, r"must end in \.wav or \.flac"),
        (["vocals=Song 1", "out=/proc/no/mash.wav"], AudioError, "cannot be written"),
        (["vocals=Song 1", "library=/nowhere"], DatabaseError, "is not a MashupDB"),
    ],
)
def test_bad_input_is_one_clear_line(
    root: Path, tmp_path: Path, arguments: list[str], kind: type[MashnetError], message: str
) -> None:
    with pytest.raises(kind, match=message) as caught:
        run(root, tmp_path / "out.wav", *arguments)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_settings_that_are_missing_are_named() -> None:
    with pytest.raises(ConfigError, match=r"library=…, out=… must be given"):
        render.main(["base=a", "vocals=b"])


def database_of(folder: Path, waves: list[np.ndarray], rates: list[int], **facts: object) -> Path:
    """Write a database with a vocal and drums per song, all of the same wave."""
    collected = MetronomeDB(folder)
    for wave, rate in zip(waves, rates, strict=True):
        duration_s = wave.shape[1] / rate
        clip_id = collected.add(duration_s=duration_s, sample_rate=rate, roles=(), **facts)
        for role in ("vocal", "percussion"):
            path = f"audio/{clip_id}/{role}.flac"
            write_flac(collected.database.root / path, wave, rate)
            stem = {"clip_id": clip_id, "stem_id": f"{clip_id}{role}", "role": role}
            stem |= {"label": role, "path": path, "rms_db": -20.0, "active_ratio": 1.0}
            collected.stems.append(stem)
    return collected.write().root


def noise(seconds: float, rate: int, channels: int = 1, level: float = 0.1) -> np.ndarray:
    shape = (channels, round(seconds * rate))
    return (level * np.random.default_rng(0).standard_normal(shape)).astype(np.float32)


def test_silence_renders_to_silence_with_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    silent = np.zeros((1, 6 * RATE), np.float32)
    root = database_of(tmp_path / "db", [silent, silent], [RATE, RATE])
    run(root, tmp_path / "out.wav", "vocals=Song 1")
    assert "the mashup is silent" in capsys.readouterr().err
    assert not soundfile.read(str(tmp_path / "out.wav"))[0].any()


def test_mono_meets_stereo_and_other_sample_rates(tmp_path: Path) -> None:
    waves = [noise(10, RATE), noise(10, 48000, 2), noise(10, 8000)]
    root = database_of(tmp_path / "db", waves, [RATE, 48000, 8000])
    for base, guest, channels, rate in ((0, 1, 2, RATE), (1, 0, 2, 48000), (2, 0, 1, 8000)):
        out = tmp_path / "out.wav"
        render.main([f"base=Song {base}", f"vocals=Song {guest}", f"library={root}", f"out={out}"])
        info = soundfile.info(str(out))
        assert (info.channels, info.samplerate, info.frames) == (channels, rate, 10 * rate)


def test_a_damaged_stem_is_one_clear_line(tmp_path: Path) -> None:
    root = database_of(tmp_path / "db", [noise(6, RATE), noise(6, RATE)], [RATE, RATE])
    victim = next((root / "audio").rglob("percussion.flac"))
    victim.write_bytes(victim.read_bytes()[:300])
    with pytest.raises(AudioError, match=r"percussion\.flac"):
        run(root, tmp_path / "out.wav", "vocals=Song 1")


def test_the_program_ends_with_one_line_and_2(root: Path) -> None:
    import subprocess

    command = [sys.executable, "-m", "mashnet.render", "base=none", "vocals=none"]
    command += [f"library={root}", "out=/tmp/none.wav"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
