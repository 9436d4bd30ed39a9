"""Stems of one song, each in another format, must be in step, or the song says why not."""

import shutil
import subprocess

import numpy as np
import pytest
import scipy.signal
import soundfile

from data_pipelines.mashupdb.stage import build
from mashnet.audio.io import read_audio

pytestmark = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
RATE_HZ = 44_100


@pytest.fixture
def songs(make, tmp_path):
    """Write songs of two stems that sound the same: a WAV, and the file that is named."""
    low = scipy.signal.butter(4, 0.2, output="sos")
    sound = scipy.signal.sosfilt(low, make.sound(5, duration_s=12.0, rate=RATE_HZ)[:, 0])

    def write(title: str, name: str, *options: str):
        folder = tmp_path / "in" / title
        folder.mkdir(parents=True)
        soundfile.write(folder / "drums.wav", sound, RATE_HZ)
        command = ["ffmpeg", "-v", "error", "-i", str(folder / "drums.wav"), *options]
        subprocess.run([*command, str(folder / name)], check=True)
        return folder

    return write


def apart(database, title: str) -> int:
    """Return by how many samples the second stem of a song is later than the first."""
    (clip,) = database.clips.filter(title=title)["clip_id"]
    rows = database.stems.filter(clip_id=clip)
    one, other = (
        read_audio(database.audio_path(rows.filter(label=label)["stem_id"].item()))[0][0]
        for label in ("drums", "bass")
    )
    likeness = scipy.signal.correlate(other, one, method="fft")
    return int(np.argmax(likeness)) - (len(one) - 1)


def test_formats_and_rates_are_in_step_and_what_was_supposed_is_said(
    make, songs, tmp_path, quick_tracker
):
    untagged = songs("untagged", "bass.mp3", "-write_xing", "0")
    songs("tagged", "bass.mp3")
    songs("opus", "bass.opus")
    songs("48 kHz", "bass.wav", "-ar", "48000")
    songs("48 kHz MP3", "bass.mp3", "-ar", "48000")
    database = build(make.pipeline(tmp_path / "in", tmp_path / "db"))
    for title in ("untagged", "tagged", "opus", "48 kHz", "48 kHz MP3"):
        assert apart(database, title) == 0, title
    (row,) = database.rejects.rows(named=True)
    assert (row["input"], row["stage"]) == (str(untagged), "clock")
    assert "bass.mp3: MP3 without an encoder's tag, 1,105 samples were cut" in row["reason"]


def test_what_is_not_known_is_said_unless_it_is_the_same_for_all(
    make, songs, tmp_path, quick_tracker
):
    folder = songs("aac", "bass.aac")
    alike = songs("alike", "bass.aac")
    shutil.copy(alike / "bass.aac", alike / "vocals.aac")
    (alike / "drums.wav").unlink()
    database = build(make.pipeline(tmp_path / "in", tmp_path / "db"))
    (row,) = database.rejects.rows(named=True)
    assert (row["input"], row["stage"]) == (str(folder), "clock")
    assert "bass.aac: AAC without a container" in row["reason"]
