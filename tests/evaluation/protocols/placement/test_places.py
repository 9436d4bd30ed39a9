"""Phrases that look for their place: how they are cut out, what counts as right."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mashnet.audio.beat_features import BANDS, MOMENTS, PITCH_MOMENTS, PITCHES, BeatFeatures
from mashnet.data.parts import ArrayPart
from mashnet.data.phrases.beat_store import SideInBeats
from mashnet.data.phrases.frontend import PhraseFrontend
from mashnet.errors import ConfigError
from mashnet.evaluation.protocols.placement.answers import KNOWN, OPEN
from mashnet.evaluation.protocols.placement.finding import (
    NOWHERE,
    FoundPlace,
    find,
    place_columns,
    place_meanings,
)
from mashnet.evaluation.protocols.placement.places import (
    PlaceQuestion,
    alike,
    counted,
    place_questions,
)
from mashnet.evaluation.subjects.phrases import DatabasePhrases, PhraseWindow
from mashnet.models.phrases.placenet import PlaceNet, PlaceNetScorer
from mashnet.models.rules.automashupper import AutomashupperScorer
from mashnet.music.keys import Key
from mashnet.music.placement import Placement
from mashnet.music.song_facts import SongFacts
from tests.metronome import pitch_class
from tests.phrase_songs import phrase_database

# Two beats, then eight bars of four at 120 bpm.
GUEST = SongFacts(
    "a phrase",
    17.0,
    tuple(np.arange(0, 17.1, 0.5)),
    tuple(np.arange(1, 17.1, 2.0)),
    4,
    Key(0, "major"),
    tempo_bpm=120.0,
)


def question(*, semitones=0, facts=GUEST, bar=8, places=range(10), same=(8,)):
    places = np.array(places)
    return PlaceQuestion(
        PhraseWindow("clip", "song", "group", bar, 8, False),
        {},
        ArrayPart(np.zeros(100, np.float32), 100, facts),
        semitones,
        2,
        places,
        np.isin(places, same),
    )


def test_half_time_keeps_every_second_beat_and_begins_bars_with_the_phrase():
    slow = counted(GUEST, 2.0)
    assert slow.beats_s == pytest.approx(np.arange(0, 17.1, 1.0))
    assert slow.downbeats_s == pytest.approx([1, 5, 9, 13, 17])
    assert slow.tempo_bpm == 60


def test_double_time_has_beats_between():
    fast = counted(GUEST, 0.5)
    assert fast.beats_s == pytest.approx(np.arange(0, 17.1, 0.25))
    assert fast.downbeats_s == pytest.approx(np.arange(0, 17.1, 1.0))
    assert fast.tempo_bpm == 240
    assert counted(GUEST, 1.0) is GUEST


@pytest.mark.parametrize(
    ("level", "base_bar", "guest_bar", "bar"),
    [
        (1.0, 8, 0, 8),
        (1.0, 9, 1, 8),  # its second bar on bar 9
        (2.0, 8, 0, 8),
        (2.0, 10, 1, 8),  # a bar of four slow beats lasts two of the base's
        # In double time a bar of two old beats comes before the phrase.
        (0.5, 8, 1, 8),
        (0.5, 8, 0, 8.5),
        (0.5, 9, 3, 8),
    ],
)
def test_where_a_phrase_begins(level, base_bar, guest_bar, bar):
    assert question().bar_of(base_bar, guest_bar, level) == bar


class Places:
    """Lays every phrase on the same place, if it compares them at all."""

    name, judges_unmoved, finds_keys = "places", True, True

    def __init__(self, placement):
        self.placement = placement

    def place(self, query, candidate):
        if self.placement is None:
            raise ConfigError("not compared")
        return self.placement


def marks(found, asked, level=1.0):
    columns = place_columns({(OPEN, level): [found]}, [asked])
    return {name.split("_open")[0]: bool(column[0]) for name, (column, _) in columns.items()}


RIGHT = {
    "place_exact": True,
    "place_exact_or_repeated": True,
    "place_within_a_bar": True,
    "place_right_key": True,
}


@pytest.mark.parametrize(
    ("found", "wrong"),
    [
        (FoundPlace(8, -2, 1.0), []),
        (FoundPlace(8, 10, 1.0), []),  # the same pitch classes
        (FoundPlace(8, 0, 1.0), ["place_exact", "place_exact_or_repeated", "place_right_key"]),
        (FoundPlace(9, -2, 1.0), ["place_exact", "place_exact_or_repeated"]),
        (FoundPlace(4, -2, 1.0), ["place_exact", "place_within_a_bar"]),  # music repeats there
        (FoundPlace(2, -2, 1.0), ["place_exact", "place_exact_or_repeated", "place_within_a_bar"]),
        (FoundPlace(8, -2, 2.0), ["place_exact", "place_exact_or_repeated"]),  # in half time
        (NOWHERE, list(RIGHT)),
    ],
)
def test_what_counts_as_right(found, wrong):
    asked = question(semitones=2, same=(4, 8))
    assert marks(found, asked) == RIGHT | dict.fromkeys(wrong, False)


def test_a_key_that_was_told_is_no_figure():
    columns = place_columns({(KNOWN, 1.0): [FoundPlace(8, 0, 1.0)]}, [question()])
    assert set(columns) == {"place_exact", "place_exact_or_repeated", "place_within_a_bar"}


def test_levels_have_names_of_their_own():
    found = {(OPEN, level): [FoundPlace(8, 0, level)] for level in (1.0, 2.0, 0.5)}
    columns = place_columns(found, [question()])
    for name in ("place_exact_open_key", "place_exact_half_time_open_key"):
        assert columns[name][0].tolist() == [1.0]
    assert "place_exact_double_time_open_key" in columns


def test_who_does_not_compare_them_has_found_nothing():
    found = find(Places(None), [question()])
    assert found[OPEN, 1.0] == [NOWHERE]
    there = find(Places(Placement(0, 8, 8)), [question()])
    assert there[OPEN, 1.0] == [FoundPlace(8, 0, 1.0)]
    assert (KNOWN, 1.0) not in there


def test_chance_by_hand():
    # Ten places, of which two are alike; three lie within a bar of bar 8.
    names = ["place_exact", "place_exact_open_key", "place_exact_or_repeated_open_key",
             "place_within_a_bar", "place_right_key_open_key"]  # fmt: skip
    found = place_meanings(names, [question(same=(4, 8))])
    chances = [found[name].chance for name in names]
    assert chances == pytest.approx([1 / 10, 1 / 120, 2 / 120, 3 / 10, 1 / 12])
    assert place_meanings(names, []) == {}


def in_beats(rows):
    """Music of bars of four beats: bar i has the chord and the rhythm that rows[i] names."""
    bars = len(rows)
    onsets = torch.zeros(bars, 4, MOMENTS, BANDS)
    pitches = torch.zeros(bars, 4, PITCH_MOMENTS, PITCHES)
    for bar, (chord, rhythm) in enumerate(rows):
        pitches[bar, :, :, 2 * chord] = 1.0
        onsets[bar, :, rhythm] = 1.0
    level = torch.zeros(bars, 4)
    return SideInBeats(np.ones(bars, bool), BeatFeatures(onsets, pitches, level, level))


def test_music_repeats_where_chords_and_rhythm_do():
    a, b, other_rhythm = (0, 0), (5, 0), (0, 6)
    music = in_beats([a, b, a, b, a, a, other_rhythm, b])
    found = alike(music, [0, 1, 2, 4, 6], at=0, bars=2)
    # a b: at 0 and 2; from 6 the chords are the same and the rhythm is not.
    assert found.tolist() == [True, False, True, False, False]


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    database = phrase_database(tmp_path_factory.mktemp("places") / "db", songs=3, bars=13)
    return DatabasePhrases(database.root, split="all")


def test_phrases_are_cut_out_and_really_shifted(source):
    questions = place_questions(source, 1000, seed=2)
    assert len(questions) == 3
    for asked in questions:
        facts = source.database.facts_of(asked.window.clip_id)
        beat_s = 60 / facts.tempo_bpm
        assert asked.places.tolist() == [0, 1, 2, 3, 4, 5]
        assert asked.guest.facts.downbeats_s[0] == pytest.approx(asked.beats * beat_s, abs=1e-6)
        assert asked.guest.facts.key == facts.key.transposed(asked.semitones)
        start_s = source.bars(asked.window.clip_id).times_s[asked.window.bar, 0]
        lies = source.whole(asked.window.clip_id, ["vocal"])["vocal"].waveform(16_000)
        first = round(start_s * 16_000)
        length = round(3.5 * beat_s * 16_000)
        late = round(asked.beats * beat_s * 16_000)
        moved = asked.guest.waveform(16_000)[late : late + length]
        up = (pitch_class(moved) - pitch_class(lies[first : first + length])) % 12
        assert (up - asked.semitones + 6) % 12 - 6 == pytest.approx(0, abs=0.2)
    assert {asked.semitones for asked in questions} != {0}
    assert [q.semitones for q in place_questions(source, 1000, seed=2)] == [
        q.semitones for q in questions
    ]
    assert len(place_questions(source, 2, seed=2)) == 2
    assert place_questions(source, 0, seed=2) == []


@pytest.mark.parametrize(
    "scorer",
    [
        PlaceNetScorer(PlaceNet(channels=0), PhraseFrontend(), name="placenet"),
        AutomashupperScorer(),
    ],
    ids=["placenet", "automashupper"],
)
def test_chords_that_do_not_repeat_are_found_at_every_level(scorer, source):
    questions = place_questions(source, 1000, seed=2)
    found = place_columns(find(scorer, questions), questions)
    for level in ("", "_half_time", "_double_time"):
        assert found[f"place_exact{level}_open_key"][0].mean() >= 2 / 3
        assert found[f"place_right_key{level}_open_key"][0].mean() >= 2 / 3


def test_a_stretch_engine_is_asked_for(source, monkeypatch):
    def missing(engine):
        raise ConfigError(f"{engine} is not installed")

    monkeypatch.setattr("mashnet.evaluation.protocols.placement.places.require_installed", missing)
    with pytest.raises(ConfigError, match="not installed"):
        place_questions(source, 1, seed=0)
    assert place_questions(SimpleNamespace(), 0, seed=0) == []
