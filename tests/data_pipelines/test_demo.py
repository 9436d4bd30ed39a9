import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from data_pipelines.demo import stage as demo
from mashnet.audio.io import read_audio
from mashnet.commands.hydra_program import compose
from mashnet.data.mashupdb import MashupDB
from mashnet.data.splits import split_of
from mashnet.errors import ConfigError
from mashnet.music.sections import LABELS


def make(root: Path, **settings: int | str) -> MashupDB:
    overrides = [f"out={root}", *(f"{key}={value}" for key, value in settings.items())]
    return demo.make(compose("demo", overrides, demo.CONFIG_DIR))


def files_of(root: Path) -> dict[str, bytes]:
    kept = [p for p in root.rglob("*") if p.is_file() and p.suffix in (".flac", ".json")]
    return {str(p.relative_to(root)): p.read_bytes() for p in kept if p.name != "manifest.json"}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> MashupDB:
    return make(tmp_path_factory.mktemp("demo") / "db", count=3, workers=2)


def test_it_is_a_complete_database(small: MashupDB) -> None:
    database = MashupDB.open(small.root)
    assert database.clips.height == 3
    assert database.stems.height == 15
    assert database.clips["clip_id"].n_unique() == database.clips["song_id"].n_unique() == 3
    assert database.stems["stem_id"].n_unique() == 15
    assert database.manifest["counts"] == {"clips": 3, "stems": 15}
    assert database.manifest["demo"]["config"] == {"seed": 0, "count": 3, "form": "short"}
    assert {"vocal": 3, "harmonic": 9, "percussion": 3} == dict(
        database.stems["role"].value_counts().iter_rows()
    )
    for clip in database.clips.iter_rows(named=True):
        assert clip["duration_s"] >= 25.5
        assert set(clip["downbeats"]) <= set(clip["beats"])
        assert clip["license"] == "CC0-1.0"
        annotation = json.loads(
            (database.root / "annotations" / f"{clip['clip_id']}.json").read_text("utf-8")
        )
        assert annotation["sections"][0]["start_s"] == 0
        assert annotation["sections"][-1]["end_s"] == clip["duration_s"]
        sections = database.sections_of(clip["clip_id"])
        assert [vars(section) for section in sections] == annotation["sections"]
        # Sections begin on bar lines, and say what they are in our words.
        assert {section.start_s for section in sections[1:]} <= set(clip["downbeats"])
        assert {section.label for section in sections} <= set(LABELS)
    assert set(database.sections["origin"]) == {"annotated"}
    for stem in database.stems.iter_rows(named=True):
        audio, rate = read_audio(database.audio_path(stem["stem_id"]))
        clip = database.clip_rows[stem["clip_id"]]
        assert (audio.shape, rate) == ((1, round(clip["duration_s"] * 44100)), 44100)


def test_same_seed_same_bytes_whatever_the_number_of_workers(
    small: MashupDB, tmp_path: Path
) -> None:
    again = make(tmp_path / "again", count=3, workers=1)
    assert files_of(again.root) == files_of(small.root)
    assert again.clips.equals(small.clips)
    assert again.stems.equals(small.stems)
    other = make(tmp_path / "other", count=1, seed=1)
    assert not set(other.clips["clip_id"]) & set(small.clips["clip_id"])


def test_a_rerun_redoes_nothing(small: MashupDB, capsys: pytest.CaptureFixture[str]) -> None:
    times = {p: p.stat().st_mtime_ns for p in small.root.rglob("*") if p.is_file()}
    make(small.root, count=3, workers=2)
    assert "nothing to do" in capsys.readouterr().out
    assert {p: p.stat().st_mtime_ns for p in small.root.rglob("*") if p.is_file()} == times


def test_what_is_damaged_or_missing_is_made_again(small: MashupDB, tmp_path: Path) -> None:
    root = make(tmp_path / "db", count=2, workers=1).root
    before = files_of(root)
    annotations = sorted((root / "annotations").iterdir())
    annotations[0].write_text("{", "utf-8")
    next((root / "audio" / annotations[1].stem).iterdir()).unlink()
    make(root, count=2, workers=1)
    assert files_of(root) == before


def test_songs_of_an_older_band_are_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(demo, "generator_digest", lambda: "older")
        old = make(tmp_path / "db", count=1)
    assert old.manifest["demo"]["generator"] == "older"
    new = make(tmp_path / "db", count=1)
    assert new.manifest["demo"]["generator"] == demo.generator_digest()
    assert len(list((new.root / "annotations").iterdir())) == 1
    assert len(list((new.root / "audio").iterdir())) == 1


def test_a_killed_run_is_continued_by_the_same_command(small: MashupDB, tmp_path: Path) -> None:
    root = tmp_path / "db"
    command = [sys.executable, "-m", "data_pipelines.demo", f"out={root}", "count=3", "workers=1"]
    run = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    deadline_s = time.monotonic() + 60
    while not list(root.glob("annotations/[!.]*.json")) and time.monotonic() < deadline_s:
        time.sleep(0.02)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    assert not (root / "manifest.json").exists()
    survived = files_of(root)
    done = {p: p.stat().st_mtime_ns for p in root.glob("annotations/[!.]*.json")}
    assert done and len(done) < 3
    again = subprocess.run(command, check=True, capture_output=True, text=True)
    assert "Warning" not in again.stderr  # the first lines that a user reads are ours
    assert {p: p.stat().st_mtime_ns for p in done} == done
    assert files_of(root) == files_of(small.root)
    assert set(survived) - set(files_of(root)) == {name for name in survived if ".partial" in name}


def test_settings_out_of_range_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="count=0"):
        make(tmp_path, count=0)
    with pytest.raises(ConfigError, match="workers=-1"):
        make(tmp_path, workers=-1)
    with pytest.raises(ConfigError, match="form 'long'"):
        make(tmp_path, form="long")


def test_whole_songs_replace_short_ones_and_keep_their_style(tmp_path: Path) -> None:
    short = make(tmp_path / "db", count=1)
    whole = make(tmp_path / "db", count=1, form="whole")
    (before,), (after,) = short.clips.to_dicts(), whole.clips.to_dicts()
    assert before["clip_id"] != after["clip_id"]
    same = ("title", "tempo_bpm", "key_tonic", "key_mode", "split")
    assert [before[name] for name in same] == [after[name] for name in same]
    assert after["duration_s"] > 80
    labels = [section.label for section in whole.sections_of(after["clip_id"])]
    assert labels.count("chorus") >= 2 and labels.count("verse") >= 2


def test_default_songs_fill_every_split() -> None:
    config = compose("demo", [], demo.CONFIG_DIR)
    splits = [split_of(demo.split_group(config.seed, i)) for i in range(config.count)]
    counts = dict(zip(*np.unique(splits, return_counts=True), strict=True))
    assert counts["val"] >= 6
    assert counts["test"] >= 6
