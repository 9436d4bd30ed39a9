import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mashnet.music.tunings import (
    SURE,
    Shift,
    Tuning,
    cents_to_fit,
    fold_cents,
    shift_with,
    tuning_of,
)


def test_a_tuning_is_folded_to_half_a_semitone_on_either_side():
    assert [fold_cents(c) for c in (0.0, 50.0, -50.0, 51.0, -51.0, 149.0, 100.0)] == [
        *(0.0, 50.0, 50.0, -49.0, 49.0, 49.0, 0.0)
    ]
    assert fold_cents(np.array([-50.0, 230.0])).tolist() == [50.0, 30.0]


def test_a_shift_is_the_difference_of_sure_tunings():
    assert cents_to_fit(Tuning(-20, 0.9), Tuning(25.5, 0.4)) == 45.5
    assert cents_to_fit(Tuning(48, 1), Tuning(-48, 1)) == -96  # their names are the same
    assert abs(shift_with(0, cents_to_fit(Tuning(-49.97, 1), Tuning(50, 1))).cents) > 0


@pytest.mark.parametrize(
    ("moving", "fixed"),
    [
        (None, Tuning(25, 1)),
        (Tuning(25, 1), None),
        (None, None),
        (Tuning(-20, SURE - 0.01), Tuning(25, 1)),
        (Tuning(-20, 1), Tuning(25, SURE - 0.01)),
        (Tuning(0.9, 1), Tuning(-1.1, 1)),  # both A440, as far as anybody can hear
    ],
)
def test_what_is_not_known_or_cannot_be_heard_moves_nothing(moving, fixed):
    assert cents_to_fit(moving, fixed) == 0.0


def test_semitones_and_cents_make_one_shift():
    assert shift_with(3, 0.0) == Shift(3, 0.0)
    assert shift_with(3, 20.0) == Shift(3, 20.0)
    assert shift_with(0, 96.0) == Shift(1, -4.0)
    assert shift_with(6, 96.0) == Shift(-5, -4.0)
    assert shift_with(-5, -96.0) == Shift(-6, 4.0)
    assert Shift(2, -4.0).in_semitones == pytest.approx(1.96)
    assert isinstance(Shift(2, 0.0).in_semitones, int)  # what is rendered keeps its id


@given(st.integers(-5, 6), st.floats(-99.9, 99.9))
def test_both_add_up_to_an_octave(semitones, cents):
    shift = shift_with(semitones, cents)
    assert -6 <= shift.semitones <= 6 and abs(shift.cents) <= 50 + 0.05
    apart = 100 * (shift.in_semitones - semitones) - cents
    assert min(abs(apart), abs(apart - 1200), abs(apart + 1200)) < 0.06


def test_a_clip_without_columns_that_are_filled_has_none():
    assert tuning_of({"tuning_cents": 3.0, "tuning_confidence": 0.5}) == Tuning(3.0, 0.5)
    assert tuning_of({"tuning_cents": None, "tuning_confidence": None}) is None
    assert tuning_of({"tuning_cents": 3.0, "tuning_confidence": None}) is None
