"""Onsets at known places."""

import numpy as np
import pytest

from mashnet.evaluation.mashup_measures.onset_grid import lags_s, onset_error_s, onset_times_s
from tests.metronome import RATE, click_song

BEATS_S = np.arange(0.5, 20, 0.5)


def clicks(times_s: np.ndarray) -> np.ndarray:
    return click_song(times_s, 0, 20.0)["percussion"]


MUSIC = clicks(BEATS_S)


def error_s(times_s: np.ndarray, beats_s: np.ndarray = BEATS_S) -> float:
    return onset_error_s(clicks(times_s), MUSIC, RATE, beats_s)


def test_lags_are_signed_and_from_the_nearest_sixteenth() -> None:
    onsets_s = np.array([0.4, 1.0, 1.13, 1.36, 1.44, 19.6])
    # The first and the last lie outside the beats (0.5 to 19.5); sixteenths at 1, 1.125, 1.25 …
    assert lags_s(onsets_s, BEATS_S) == pytest.approx([0, 0.005, -0.015, -0.06])


@pytest.mark.parametrize("late_s", [0.0, 0.125, 0.25, 0.375])
def test_sixteenths_lie_on_the_grid(late_s: float) -> None:
    assert len(onset_times_s(clicks(BEATS_S + late_s), RATE)) >= 37
    assert error_s(BEATS_S + late_s) < 0.004


@pytest.mark.parametrize("late_s", [0.03, 0.05, -0.04])
def test_a_shift_is_seen_in_full(late_s: float) -> None:
    assert error_s(BEATS_S + late_s) == pytest.approx(abs(late_s), abs=0.004)


def test_annotations_that_are_late_by_the_same_for_both_are_no_error() -> None:
    assert error_s(BEATS_S, BEATS_S + 0.02) < 0.004
    assert error_s(BEATS_S + 0.03, BEATS_S + 0.02) == pytest.approx(0.03, abs=0.004)


def test_another_tempo_is_a_quarter_of_a_sixteenth_off() -> None:
    assert error_s(np.arange(0.5, 20, 0.5 * 1.0618)) == pytest.approx(0.125 / 4, rel=0.3)


def test_a_grid_may_breathe() -> None:
    beats_s = 0.5 + np.cumsum(0.5 + 0.05 * np.sin(np.arange(38) / 3))
    breathing = clicks(beats_s)
    assert onset_error_s(breathing, breathing, RATE, beats_s) < 0.004
    assert onset_error_s(MUSIC, breathing, RATE, beats_s) > 0.015


@pytest.mark.parametrize("samples", [0, 100, 20 * RATE])
def test_silence_has_no_onsets_and_some_songs_no_grid(samples: int) -> None:
    silent = np.zeros(samples, np.float32)
    assert np.isnan(onset_error_s(silent, MUSIC, RATE, BEATS_S))
    assert onset_error_s(MUSIC, silent, RATE, BEATS_S) < 0.02  # what is late is not taken off
    for beats_s in (np.zeros(0), np.ones(1)):
        assert np.isnan(onset_error_s(MUSIC, MUSIC, RATE, beats_s))
