"""Where automashupper lays a phrase: bar on bar, at a level, in key and in tune."""

from dataclasses import replace

import numpy as np
import pytest

from mashnet.audio.descriptors import SAMPLE_RATE
from mashnet.data.parts import ArrayPart, SlicedPart
from mashnet.errors import ConfigError
from mashnet.models.rules.automashupper import AutomashupperScorer
from mashnet.music.song_facts import SongFacts
from mashnet.music.tunings import Tuning
from tests.triads import triads

FIRST_S = 0.25
# A chord for each bar; no four in a row are like four others, in whatever key.
CHORDS = (0, 5, 7, 2, 9, 9, 4, 0, 11, 6)


def song(bpm=120.0, up=0, chords=CHORDS, metre=4, told=True, **known):
    """Strike a triad on every beat, the first of a bar louder; nothing sounds before 0.25 s."""
    beats = FIRST_S + 60 / bpm * np.arange(metre * len(chords) + 1)
    seconds = float(beats[-1]) + 0.1
    out = np.zeros(round(seconds * SAMPLE_RATE), np.float32)
    for beat, start_s in enumerate(beats[:-1]):
        bar, place = divmod(beat, metre)
        sound = triads([0.0], (chords[bar] + up) % 12, 60 / bpm).waveform(SAMPLE_RATE)
        first = round(start_s * SAMPLE_RATE)
        out[first : first + len(sound)] += (0.4 if place else 1.0) * sound
    facts = SongFacts("s", seconds, tuple(beats), tuple(beats[::metre]), metre, None, (), bpm)
    return ArrayPart(out, SAMPLE_RATE, replace(facts, **known) if told else None)


@pytest.fixture(scope="module")
def scorer():
    return AutomashupperScorer(phrase_bars=4)


def test_a_phrase_is_laid_on_the_bars_that_it_is_of(scorer):
    base = song()
    phrase = SlicedPart(base, FIRST_S + 3 * 2.0 - 0.1, 8.2)  # bars 3 to 6
    found = scorer.place({"harmonic": base}, {"vocal": phrase})
    assert (found.guest_bar, found.base_bar, found.bars) == (0, 3, 4)
    assert (found.semitones, found.cents) == (0, 0.0)
    assert (found.tempo_level, found.tempo_ratio) == (1.0, pytest.approx(1.0))
    assert found.confidence is None
    # All of the terms are as good as they get but for the flatness of triads.
    assert found.score == pytest.approx(1.2 / 1.4, abs=0.06)
    other_way = scorer.place({"harmonic": phrase}, {"vocal": base})
    assert (other_way.guest_bar, other_way.base_bar) == (3, 0)
    assert other_way.score == pytest.approx(found.score, abs=0.01)


def test_a_guest_in_another_key_and_tempo_is_laid_there_too(scorer):
    guest = song(bpm=100.0, up=3, chords=CHORDS[2:7])
    found = scorer.place({"harmonic": song()}, {"vocal": guest})
    assert found.base_bar - found.guest_bar == 2
    assert found.semitones == -3
    assert (found.tempo_level, found.tempo_ratio) == (1.0, pytest.approx(1.2))
    unshifted = AutomashupperScorer(phrase_bars=4, most_semitones=0)
    stays = unshifted.place({"harmonic": song()}, {"vocal": guest})
    assert stays.semitones == 0
    assert stays.score < found.score - 0.2


def test_a_guest_at_half_time_lasts_two_bars_for_each_of_its(scorer):
    # A bar of the guest at 60 bpm holds the chords of two of the base's at 120.
    slow = song(bpm=60.0, chords=CHORDS[2:8:2])
    base = song(chords=[CHORDS[i - i % 2] for i in range(10)])
    found = scorer.place({"harmonic": base}, {"vocal": slow})
    assert (found.tempo_level, found.tempo_ratio) == (2.0, 1.0)
    assert found.bars == 4
    assert found.base_bar - 2 * found.guest_bar == 2
    assert found.semitones == 0
    back = scorer.place({"vocal": slow}, {"harmonic": base})
    assert (back.tempo_level, back.guest_bar - 2 * back.base_bar) == (0.5, 2)


def test_bars_of_three_meet_bars_of_four_on_their_downbeats(scorer):
    found = scorer.place({"harmonic": song()}, {"vocal": song(metre=3)})
    assert found.bars == 4
    assert found.guest_bar + 6 <= 10  # sixteen beats need six bars of three
    assert found.tempo_level == 1.0


def test_cents_come_from_tunings_that_are_sure(scorer):
    base = song(tuning=Tuning(20.0, 0.9))
    guest = song(up=1, tuning=Tuning(-20.0, 0.9))
    found = scorer.place({"harmonic": base}, {"vocal": guest})
    assert (found.semitones, found.cents) == (-1, 40.0)
    unsure = replace(guest, facts=replace(guest.facts, tuning=Tuning(-20.0, 0.1)))
    assert scorer.place({"harmonic": base}, {"vocal": unsure}).cents == 0.0
    drums = replace(triads(base.facts.beats_s, None, 20.0), facts=guest.facts)
    found = scorer.place({"harmonic": base}, {"percussion": drums})
    assert (found.semitones, found.cents) == (0, 0.0)


def test_fewer_bars_where_there_are_no_more(scorer):
    short = song(chords=CHORDS[4:6])
    assert scorer.place({"harmonic": song()}, {"vocal": short}).bars == 2


def test_who_does_not_know_bars_is_told_so(scorer):
    base = {"harmonic": song()}
    for stranger in (song(told=False), song(downbeats_s=())):
        with pytest.raises(ConfigError, match="nobody knows its bars"):
            scorer.place(base, {"vocal": stranger})
        with pytest.raises(ConfigError, match="nobody knows its bars"):
            scorer.place({"vocal": stranger}, base)
    with pytest.raises(ConfigError, match="an empty group"):
        scorer.place(base, {})


def test_it_may_be_asked_about_parts_as_they_lie(scorer):
    assert scorer.judges_unmoved
    base, phrase = song(), SlicedPart(song(bpm=90.0, up=5), FIRST_S, 16 * 60 / 90)
    other = song(chords=(0, 1, 0, 1, 0, 1, 0, 1))
    scores = scorer.score({"vocal": phrase}, [{"harmonic": base}, {"harmonic": other}])
    assert scores[0] > scores[1] + 0.1
