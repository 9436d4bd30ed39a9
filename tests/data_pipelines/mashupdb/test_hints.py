import numpy as np
import pytest

from data_pipelines.mashupdb.hints import KEY_CONFIDENCE, at_level, level_of, with_hints
from data_pipelines.sources.song import Known
from mashnet.audio.annotate import Annotation
from mashnet.music.keys import Key


def estimate(tempo_bpm: float, *, first_s=0.3, per_bar=4, first_bar=0, lasts_s=20.0) -> Annotation:
    """Return what a tracker says of beats that wander a little, as a band's do."""
    beats = np.arange(first_s, lasts_s, 60 / tempo_bpm)
    beats = np.round(beats + 0.02 * np.sin(np.arange(len(beats))), 4)
    return Annotation(
        tempo_bpm=tempo_bpm,
        beats=tuple(beats.tolist()),
        downbeats=tuple(beats[first_bar::per_bar].tolist()),
        beats_per_bar=per_bar,
        key=Key(3, "minor"),
        key_confidence=0.4,
    )


@pytest.mark.parametrize(
    ("heard", "hint", "level"),
    [
        (125.2, 125, 1),
        (62.6, 125, 2),
        (250, 125, 0.5),
        (83.4, 125, 1.5),
        (187, 125, 2 / 3),
        (120, 125, 1),  # near enough
        (134, 125, 1),
        (100, 125, None),
        (93.8, 125, None),
    ],
)
def test_a_hint_decides_the_level(heard, hint, level):
    assert level_of(heard, hint) == pytest.approx(level) if level else level_of(heard, hint) is None


def test_halved_beats_are_heard_ones_and_bars_begin_where_they_did():
    heard = estimate(250, first_bar=1)
    found = at_level(heard, 0.5, 20.0)
    assert found.tempo_bpm == 125
    assert set(found.beats) <= set(heard.beats)
    assert set(found.downbeats) <= set(heard.downbeats)
    assert len(found.beats) == pytest.approx(len(heard.beats) / 2, abs=1)
    assert len(found.downbeats) == pytest.approx(len(heard.downbeats) / 2, abs=1)


def test_doubled_beats_lie_between_heard_ones_which_stay():
    heard = estimate(60)
    found = at_level(heard, 2.0, 20.0)
    assert set(heard.beats) <= set(found.beats)
    assert set(heard.downbeats) <= set(found.downbeats)
    assert found.beats_per_bar == 4
    assert found.beats == tuple(sorted(found.beats))
    assert np.diff(found.beats) == pytest.approx(0.5, abs=0.02)
    assert (
        found.beats[0] < 0.51 and found.beats[-1] > 19.0
    )  # no gap where the music begins and ends


@pytest.mark.parametrize("level", [1.5, 2 / 3])
def test_three_for_two_begins_on_a_downbeat(level):
    heard = estimate(100, first_bar=2)
    found = at_level(heard, level, 20.0)
    assert heard.downbeats[0] in found.beats
    assert np.diff(found.beats) == pytest.approx(0.6 / level, abs=0.05)
    assert set(found.downbeats) <= set(found.beats)


def test_a_hint_that_fits_nothing_and_a_tempo_that_was_not_heard():
    heard = estimate(100)
    found, said = with_hints(heard, Known(tempo_hint_bpm=125), 20.0)
    assert found == heard and "no metrical level of the 100.0 bpm" in said[0]
    silent = Annotation(
        tempo_bpm=0.0, beats=(), downbeats=(), beats_per_bar=0, key=Key(0, "major"),
        key_confidence=0.0,
    )  # fmt: skip
    assert with_hints(silent, Known(tempo_hint_bpm=125), 20.0) == (silent, [])


def test_exact_annotations_need_no_hints():
    heard = estimate(60)
    for known in (
        Known(tempo_bpm=60.0, tempo_hint_bpm=120.0),
        Known(beats=(1.0, 2.0), tempo_hint_bpm=120.0, key="C", key_hint="A minor"),
    ):
        assert with_hints(heard, known, 20.0) == (heard, [])


def test_a_written_key_takes_the_place_of_the_estimate_and_says_so():
    found, said = with_hints(estimate(100), Known(key_hint="8A"), 20.0)
    assert (found.key, found.key_confidence) == (Key(9, "minor"), KEY_CONFIDENCE)
    assert said == ["A minor is written down and used, where Eb minor was heard (confidence 0.40)"]
    found, said = with_hints(estimate(100), Known(key_hint="Ebm"), 20.0)
    assert (found.key, found.key_confidence, said) == (Key(3, "minor"), KEY_CONFIDENCE, [])
