import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mashnet.music.beats import line_through, tempo_of


@given(
    tempo_bpm=st.floats(40, 240),
    first_s=st.floats(0, 5),
    count=st.integers(40, 400),
)
def test_tempo_survives_the_trackers_ten_millisecond_frames(tempo_bpm, first_s, count):
    beats = np.round(first_s + np.arange(count) * 60 / tempo_bpm, 2)
    assert tempo_of(beats) == pytest.approx(tempo_bpm, rel=2e-3)


def test_some_wrong_beats_do_not_move_the_tempo():
    beats = 0.2 + np.arange(100) * 0.5
    beats[[3, 17, 40, 41, 88]] += [0.2, -0.21, 0.24, 0.1, -0.15]
    first_s, period_s = line_through(np.sort(beats))
    assert period_s == pytest.approx(0.5, abs=1e-4)
    assert first_s == pytest.approx(0.2, abs=1e-3)


def test_very_many_beats_are_thinned_not_misread():
    assert tempo_of(1.0 + np.arange(5000) * 0.4) == pytest.approx(150.0)


@pytest.mark.parametrize("beats", [[], [3.0], [2.0, 2.0]])
def test_without_a_tempo_it_is_zero(beats):
    assert tempo_of(beats) == 0.0


def test_a_line_needs_two_beats():
    with pytest.raises(ValueError, match="two beats"):
        line_through([1.0])
