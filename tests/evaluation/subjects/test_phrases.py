"""Windows of whole bars in which both sides sound, and how their parts are cut."""

import numpy as np
import pytest

from mashnet.evaluation.subjects.phrases import DatabasePhrases, group_of
from tests.metronome import MetronomeDB
from tests.phrase_songs import add_song, phrase_database


def test_windows_are_of_whole_bars_and_do_not_overlap(tmp_path):
    database = phrase_database(tmp_path / "db", songs=2, bars=13)
    windows = DatabasePhrases(database.root, split="train").windows(4)
    clips = {window.clip_id for window in windows}
    assert len(clips) == 2
    # 13 bars; the last one has no beat after it within the clip, but ends where the clip does.
    for clip in clips:
        assert [window.bar for window in windows if window.clip_id == clip] == [0, 4, 8]
    assert {window.bars for window in windows} == {4}
    assert all(window.is_exact for window in windows)
    assert DatabasePhrases(database.root, split="test").windows(4) == []


def test_a_vocal_must_sound_in_three_of_ten_beats(tmp_path):
    collected = MetronomeDB(tmp_path / "db")
    # 4 bars from 0 on are silent but for bar 3 (a quarter of the beats); from 1 on bars 3, 4 sound.
    add_song(collected, 0, silent_bars=(0, 1, 2))
    database = collected.write()
    windows = DatabasePhrases(database.root, split="all").windows(4)
    assert [window.bar for window in windows] == [1, 5, 9]


def test_who_takes_no_part_is_said(tmp_path):
    collected = MetronomeDB(tmp_path / "db")
    for number in range(2):
        add_song(collected, number)
    add_song(collected, 2, beats_per_bar=3)
    add_song(collected, 3, key_tonic=None, key_mode=None)
    add_song(collected, 4, beats=[], downbeats=[])
    collected.write()
    source = DatabasePhrases(tmp_path / "db", split="all")
    assert len({window.clip_id for window in source.windows(4)}) == 2
    (said,) = source.left_out()
    assert said == (
        "3 of 5 clips take no part: 1 in bars of other than 4 beats, 1 without a key, "
        "1 without whole bars."
    )


def test_parts_are_cut_at_their_bars_and_know_their_music(tmp_path):
    database = phrase_database(tmp_path / "db", songs=1)
    source = DatabasePhrases(database.root, split="all")
    window = source.windows(4)[1]
    vocal, music = source.pair(window)
    assert set(vocal) == {"vocal"}
    assert set(music) == {"harmonic", "percussion"}
    row = database.clip_rows[window.clip_id]
    bar_s = 4 * 60 / row["tempo_bpm"]
    part = music["harmonic"]
    assert part.start_s == pytest.approx(0.1 + 4 * bar_s)
    assert part.duration_s == pytest.approx(4 * bar_s)
    assert part.facts.downbeats_s[:4] == pytest.approx(np.arange(4) * bar_s)
    assert part.facts.key == database.facts_of(window.clip_id).key
    whole = source.whole(window.clip_id, ["harmonic"])["harmonic"].waveform(16_000)
    first = round(part.start_s * 16_000)
    cut = part.waveform(16_000)
    assert np.array_equal(cut, whole[first : first + len(cut)])


def test_a_group_is_the_package_where_it_is_known():
    assert group_of({"song_id": "s", "group": "a package"}) == "a package"
    assert group_of({"song_id": "s", "group": None}) == "s"
    assert group_of({"song_id": "s"}) == "s"


def test_halves_cut_either_side_by_their_own_bars(tmp_path, monkeypatch):
    database = phrase_database(tmp_path / "db", songs=1)
    source = DatabasePhrases(database.root, split="all")
    windows = source.windows(4)
    facts = database.facts_of(windows[0].clip_id)
    beat_s = 60 / facts.tempo_bpm
    late = facts.moved(lambda t: t + beat_s, duration_s=facts.duration_s)
    _answer(monkeypatch, facts, late)
    (vocal, music), *others = source.pairs_apart(windows)
    assert vocal["vocal"].start_s == pytest.approx(0.1)
    # What the second half says is a beat late, so that the music is cut a beat later.
    assert music["harmonic"].start_s == pytest.approx(0.1 + beat_s)
    assert vocal["vocal"].duration_s == music["harmonic"].duration_s
    assert all(pair is not None for pair in others)


def test_a_half_that_knows_nothing_has_no_window(tmp_path, monkeypatch):
    database = phrase_database(tmp_path / "db", songs=1)
    source = DatabasePhrases(database.root, split="all")
    windows = source.windows(4)
    _answer(monkeypatch, database.facts_of(windows[0].clip_id), None)
    assert source.pairs_apart(windows) == [None] * len(windows)


def _answer(monkeypatch, *halves):
    monkeypatch.setattr(
        "mashnet.evaluation.subjects.phrases.ApartFacts.of",
        lambda self, clips: dict.fromkeys(clips, halves),
    )
