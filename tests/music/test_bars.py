"""Bars: whole ones count, broken ones keep their place."""

import numpy as np

from mashnet.music.bars import bars_of
from mashnet.music.keys import Key
from mashnet.music.sections import Section
from mashnet.music.song_facts import SongFacts
from mashnet.music.tunings import Tuning


def _facts(beats, downbeats, **others):
    return SongFacts("song", 60.0, beats, downbeats, **others)


def test_regular_bars_hold_their_beats_and_their_end():
    beats = [0.5 * i for i in range(13)]
    bars = bars_of(_facts(beats, beats[::4]))
    assert bars.beats_per_bar == 4
    np.testing.assert_allclose(bars.times_s[:3], 0.5 * (4 * np.arange(3)[:, None] + np.arange(5)))
    assert bars.whole.tolist() == [True, True, True, False]  # one beat after the last downbeat
    assert bars.phrases(2).tolist() == [0, 1]
    assert bars.phrases(5).tolist() == []


def test_a_last_bar_whose_end_lies_in_the_clip_counts():
    beats = [0.5 * i for i in range(8)]
    whole = bars_of(SongFacts("s", 4.0, beats, beats[::4]))
    assert whole.whole.tolist() == [True, True]
    assert whole.times_s[1, -1] == 4.0
    assert bars_of(SongFacts("s", 3.6, beats, beats[::4])).whole.tolist() == [True, False]


def test_a_bar_that_lost_a_beat_and_one_in_a_hole_are_not_whole_and_keep_their_place():
    beats = [0.5 * i for i in range(32)]
    downbeats = beats[::4]
    del beats[9]  # in bar 2
    missing = [b for b in beats if not 8.0 < b < 10.0]  # most of bar 4
    bars = bars_of(_facts(missing, downbeats))
    assert bars.whole.tolist() == [True, True, False, True, False, True, True, True]
    assert bars.phrases(2).tolist() == [0, 5, 6]


def test_beats_that_stop_in_the_middle_leave_the_bars_before():
    beats = [0.5 * i for i in range(16)]
    bars = bars_of(_facts(beats, [0.0, 2.0, 4.0, 6.0, 20.0, 22.0]))
    assert bars.whole.tolist() == [True, True, True, False, False, False]


def test_three_beats_in_a_bar():
    beats = [0.4 * i for i in range(13)]
    assert bars_of(_facts(beats, beats[::3], beats_per_bar=3)).beats_per_bar == 3
    assert bars_of(_facts(beats, beats[::3])).beats_per_bar == 3


def test_without_beats_or_bars_there_is_nothing_to_compare():
    assert bars_of(_facts((), ())) is None
    assert bars_of(_facts([0.0, 1.0], ())) is None
    assert bars_of(_facts([0.0, 1.0], [0.0])) is None
    assert bars_of(_facts([0.0, 1.0], [30.0, 32.0])) is None
    assert bars_of(_facts([0.0, float("nan"), 1.0], [0.0, float("nan")])) is None


def test_what_is_known_moves_as_the_music_moves():
    facts = SongFacts(
        "song",
        10.0,
        (0.0, 1.0, 2.0, 9.0),
        (0.0, 2.0),
        4,
        Key(11, "minor"),
        (Section(0.0, 4.0, "verse"), Section(8.0, 10.0, "chorus")),
        60.0,
        Tuning(30.0, 0.9),
    )
    moved = facts.moved(lambda t: t / 2 + 1, duration_s=4.0, semitones=2.25)
    assert moved.beats_s == (1.0, 1.5, 2.0)  # the one at 5.5 lies outside
    assert moved.downbeats_s == (1.0, 2.0)
    assert moved.key == Key(1, "minor")
    assert moved.tempo_bpm == 120.0
    assert moved.tuning == Tuning(-45.0, 0.9)  # 30 + 25 cents, folded
    assert moved.sections == (Section(1.0, 3.0, "verse"),)
    assert (moved.name, moved.beats_per_bar, moved.duration_s) == ("song", 4, 4.0)


def test_bars_that_reach_beyond_the_clip_are_not_whole():
    beats = [0.5 * i for i in range(-8, 16)]
    bars = bars_of(SongFacts("s", 6.0, beats, beats[::4]))
    assert bars.whole.tolist() == [False, False, True, True, True, False]


def test_many_downbeats_take_no_memory_and_bars_of_many_beats_are_none():
    beats = np.arange(200_000) * 0.3
    found = bars_of(SongFacts("s", 60_000.0, beats, beats))  # every beat begins a bar
    assert found.beats_per_bar == 1
    assert bars_of(SongFacts("s", 60_000.0, beats, beats[::4000])) is None
