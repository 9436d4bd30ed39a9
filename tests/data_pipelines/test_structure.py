"""Sections of a small demo corpus, and of what is no song."""

import itertools
import json
import re
import tracemalloc
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from data_pipelines.demo import stage as demo
from data_pipelines.structure import stage as structure
from data_pipelines.structure.agreement import boundary_hits, every_eighth_bar, label_agreement
from data_pipelines.structure.features import bar_lines, bars_of
from mashnet.audio.io import write_flac
from mashnet.commands.hydra_program import compose
from mashnet.data.mashupdb import MashupDB
from mashnet.errors import ConfigError, DatabaseError, MashnetError
from mashnet.music.sections import LABELS, Section
from tests.metronome import RATE, MetronomeDB


def make(root: Path, *overrides: str) -> MashupDB:
    settings = [f"db={root}", "workers=1", *overrides]
    structure.make(compose("structure", settings, structure.CONFIG_DIR))
    return MashupDB.open(root)


def check_sections(database: MashupDB) -> None:
    """Sections cover their clip without gaps, and begin on downbeats."""
    for clip_id in database.sections["clip_id"].unique():
        clip, sections = database.clip_rows[clip_id], database.sections_of(clip_id)
        assert sections[0].start_s == 0
        assert sections[-1].end_s == pytest.approx(clip["duration_s"], abs=1e-3)
        for before, after in itertools.pairwise(sections):
            assert before.end_s == after.start_s
            assert np.abs(np.array(clip["downbeats"]) - after.start_s).min() < 1e-3
        assert {section.label for section in sections} <= set(LABELS)


@pytest.fixture(scope="module")
def songs(tmp_path_factory) -> Path:
    """Return a demo corpus of two whole songs."""
    root = tmp_path_factory.mktemp("structure") / "db"
    demo.make(compose("demo", [f"out={root}", "count=2", "form=whole"], demo.CONFIG_DIR))
    return root


def test_boundaries_of_demo_songs_are_found(songs, capsys):
    database = make(songs)
    assert set(database.sections["origin"]) == {"annotated"}
    printed = capsys.readouterr().out
    figure = re.search(r"annotations of 2 clips: boundaries within 3 s F ([\d.]+)", printed)
    regular = re.search(r"every eighth bar: ([\d.]+)", printed)
    assert float(figure[1]) >= 0.6
    assert float(figure[1]) > float(regular[1]) + 0.1
    # Without annotations the estimates are the table.
    truth = {clip_id: database.sections_of(clip_id) for clip_id in database.clips["clip_id"]}
    database.write_table("sections", [])
    estimated = make(songs)
    assert set(estimated.sections["origin"]) == {"estimated"}
    assert "2 songs were done before" in capsys.readouterr().out
    check_sections(estimated)
    for clip_id, reference in truth.items():
        assert label_agreement(reference, estimated.sections_of(clip_id)) > 0.6
    before = (songs / "sections.parquet").read_bytes()
    make(songs)
    assert (songs / "sections.parquet").read_bytes() == before


def test_all_in_one_wins_over_estimates(songs, tmp_path):
    clips = MashupDB.open(songs).clips.to_dicts()
    lasts_s = clips[0]["duration_s"]
    segments = [("start", 0, 0.4), ("intro", 0.4, 20), ("break", 20, 40), ("solo", 40, lasts_s)]
    contents = {
        clips[0]["title"].upper().replace(" ", "-"): segments,
        "another song": segments,
        clips[1]["title"]: [("verse", 0, 12)],
    }
    for name, rows in contents.items():
        keys = ("label", "start", "end")
        data = {"bpm": 120, "segments": [dict(zip(keys, row, strict=True)) for row in rows]}
        (tmp_path / f"{name}.json").write_text(json.dumps(data))
    (tmp_path / f"{clips[1]['song_id']}.json").write_text("{")
    MashupDB(songs).write_table("sections", [])
    database = make(songs, f"all_in_one={tmp_path}")
    assert database.sections_of(clips[0]["clip_id"]) == [
        Section(0, 20, "intro"),
        Section(20, 40, "inst"),
        Section(40, round(lasts_s, 4), "inst"),
    ]
    second = database.sections.filter(pl.col("clip_id") == clips[1]["clip_id"])
    assert set(second["origin"]) == {"estimated"}
    reasons = {Path(what).stem: why for what, _, why in database.rejects.rows()}
    assert "no song of the database" in reasons["another song"]
    assert "is of a recording of 12.0 s" in reasons[clips[1]["title"]]
    assert "is not used" in reasons[clips[1]["song_id"]]
    with pytest.raises(ConfigError, match="is not a folder"):
        make(songs, "all_in_one=nowhere")


def test_what_is_no_song_is_a_reject_and_ends_nothing(tmp_path, capsys):
    root = tmp_path / "db"
    songs = MetronomeDB(root)
    short = songs.add(duration_s=10.0)
    two_beats = songs.add(beats=[1.0, 2.0], downbeats=[])
    no_downbeats = songs.add(downbeats=[])
    lost = songs.add(beats=[], downbeats=[])
    no_stems = songs.add(roles=())
    silent = songs.add(roles=("vocal",))
    write_flac(root / "audio" / silent / "vocal.flac", np.zeros((1, 10 * RATE)), RATE)
    damaged = songs.add()
    (root / "audio" / damaged / "harmonic.flac").write_bytes(b"no sound")
    songs.write().write_table(
        "rejects",
        pl.DataFrame({"input": ["x"], "stage": ["read"], "reason": ["is empty"]}),
    )
    database = make(root)
    check_sections(database)
    assert set(database.sections["clip_id"]) == {short, two_beats, no_downbeats}
    assert database.rejects.row(0) == ("x", "read", "is empty")
    reasons = dict(database.rejects[1:].select("input", "reason").rows())
    assert set(database.rejects["stage"][1:]) == {"structure"}
    for clip_id, reason in {
        lost: "has no beats",
        no_stems: "has no stems",
        silent: "is silent",
        damaged: "cannot be decoded",
    }.items():
        (found,) = [why for what, why in reasons.items() if clip_id in what]
        assert reason in found
    assert "4 rejects" in capsys.readouterr().out
    # What could not be read may be put right; the rest is not looked at again.
    write_flac(root / "audio" / damaged / "harmonic.flac", np.ones((1, 10 * RATE)) / 9, RATE)
    assert damaged in set(make(root).sections["clip_id"])
    assert "6 songs were done before" in capsys.readouterr().out


def test_a_database_without_any_sections_says_why(tmp_path):
    songs = MetronomeDB(tmp_path / "db")
    songs.add(beats=[], downbeats=[])
    songs.write()
    with pytest.raises(MashnetError, match="none of its clips has sections; Song 0.*no beats"):
        make(tmp_path / "db")
    with pytest.raises(DatabaseError):
        make(tmp_path / "nothing")
    with pytest.raises(ConfigError, match="workers"):
        make(tmp_path / "db", "workers=-1")


def test_clips_of_one_song_are_looked_at_together(tmp_path):
    """Four bars each of A B | A B: only from both clips is it known that A comes back."""
    songs = MetronomeDB(tmp_path / "db")
    beats = np.arange(0, 16, 0.5).tolist()
    same = {"beats": beats, "downbeats": beats[::4], "duration_s": 16.0, "song_id": "one"}
    ids = [songs.add(roles=("harmonic",), **same) for _ in range(2)]
    time_s = np.arange(8 * RATE) / RATE
    for clip_id in ids:
        parts = [g * np.sin(2 * np.pi * hz * time_s) for g, hz in ((0.25, 220), (0.3, 311))]
        write_flac(
            tmp_path / "db" / "audio" / clip_id / "harmonic.flac",
            np.concatenate(parts)[None],
            RATE,
        )
    songs.write()
    database = make(tmp_path / "db")
    check_sections(database)
    first, second = (database.sections_of(clip_id) for clip_id in ids)
    assert first == second
    assert [(s.start_s, s.label) for s in first] == [(0, "verse"), (8, "chorus")]


def test_all_in_one_is_cut_to_the_clips_of_a_song(tmp_path):
    songs = MetronomeDB(tmp_path / "db")
    ids = [songs.add(duration_s=10.0, song_id="one", title="One") for _ in range(2)]
    songs.write()
    spans = [("verse", 0, 6), ("chorus", 6, 13), ("end", 13, 20)]
    segments = [{"label": label, "start": start, "end": end} for label, start, end in spans]
    (tmp_path / "one.json").write_text(json.dumps({"segments": segments}))
    database = make(tmp_path / "db", f"all_in_one={tmp_path}")
    assert database.sections_of(ids[0]) == [Section(0, 6, "verse"), Section(6, 10, "chorus")]
    assert database.sections_of(ids[1]) == [Section(0, 10, "chorus")]


def test_tasks_and_results_can_travel_between_processes(tmp_path, through_pickle):
    songs = MetronomeDB(tmp_path / "db")
    songs.add()
    songs.write()
    killed = through_pickle()
    check_sections(make(tmp_path / "db"))
    assert "want of memory" in next(iter(killed[0]["rejects"].values()))


def test_memory_does_not_grow_with_the_clip(tmp_path):
    def peak_mb(minutes: int) -> float:
        path = tmp_path / f"{minutes}.flac"
        wave = 0.1 * np.random.default_rng(0).standard_normal(minutes * 60 * 8000)
        write_flac(path, wave[None].astype(np.float32), 8000)
        beats = np.arange(0, minutes * 60, 0.5).tolist()
        clip = {"duration_s": minutes * 60.0, "beats": beats, "downbeats": beats[::4]}
        tracemalloc.start()
        try:
            assert len(bars_of(clip, [("vocal", path)])) == minutes * 30
            return tracemalloc.get_traced_memory()[1] / 1e6
        finally:
            tracemalloc.stop()

    assert peak_mb(6) < 1.1 * peak_mb(2)


def test_bars_go_on_where_no_downbeat_is_known():
    clip = {"duration_s": 20.0, "beats": [], "downbeats": [5.0, 7.0, 9.0, 11.0]}
    edges_s, known = bar_lines(clip)
    assert edges_s.tolist() == [0.0, 1.0, 3.0, 5.0, 7.0, 9.0, 11.0, 13.0, 15.0, 17.0, 19.0, 20.0]
    assert known.tolist() == [False] * 3 + [True] * 4 + [False] * 4
    # What is less than four tenths of a bar, before or after, is no bar.
    edges_s, known = bar_lines(clip | {"duration_s": 13.7, "downbeats": [0.5, 2.5, 4.5, 6.5]})
    assert edges_s.tolist() == [0.5, 2.5, 4.5, 6.5, 8.5, 10.5, 12.5, 13.7]
    assert known.sum() == 4


def test_agreement_is_what_can_be_counted_by_hand():
    reference = [Section(0, 10, "verse"), Section(10, 20, "chorus"), Section(20, 30, "verse")]
    estimated = [Section(0, 12, "verse"), Section(12, 30, "chorus")]
    assert boundary_hits(reference, estimated, 3.0) == pytest.approx((1.0, 0.5, 2 / 3))
    assert boundary_hits(reference, estimated, 0.5)[2] == 0.0
    assert boundary_hits(reference, [Section(0, 30, "verse")], 3.0)[2] == 0.0
    assert label_agreement(reference, estimated) == pytest.approx((10 + 8) / 30)
    regular = every_eighth_bar([2.0 * bar for bar in range(12)], 24.0)
    assert [section.start_s for section in regular] == [0.0, 16.0]
