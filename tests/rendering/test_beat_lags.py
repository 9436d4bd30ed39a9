"""Beats of a guest, found where they were put."""

import numpy as np
import pytest

from mashnet.music.song_facts import SongFacts
from mashnet.rendering.beat_lags import beat_lags_s, planned_lags_s
from mashnet.rendering.keyframes import Piece
from mashnet.rendering.plan import GuestPlan

RATE = 16_000


def song(beats_s: np.ndarray, duration_s: float = 10.0) -> SongFacts:
    return SongFacts("song", duration_s, tuple(beats_s.tolist()))


def laid(*keyframes_s: tuple[float, float]) -> GuestPlan:
    return GuestPlan(0, (Piece(keyframes_s),), ())


def clicks(times_s: np.ndarray, duration_s: float = 10.0) -> np.ndarray:
    wave = np.zeros((1, round(duration_s * RATE)), np.float32)
    burst = np.random.default_rng(0).uniform(-0.5, 0.5, 400) * np.exp(-np.arange(400) / 60)
    for time_s in times_s:
        at = round(time_s * RATE)
        wave[0, at : at + 400] += burst[: wave.shape[1] - at]
    return wave


def test_beats_that_meet_have_no_lag() -> None:
    beats = np.arange(0.5, 10, 0.5)
    assert planned_lags_s(laid((0, 0), (10, 10)), song(beats), song(beats)) == pytest.approx(0)
    slower = song(np.arange(0.55, 11, 0.55), 11)  # laid on the base by one ratio
    lags = planned_lags_s(laid((0.0, 0.0), (11.0, 10.0)), song(beats), slower)
    assert lags == pytest.approx(np.zeros(19), abs=1e-9)


@pytest.mark.parametrize("clear_by", [0.0, 0.2])
def test_a_guest_that_was_laid_20_ms_late_is_20_ms_late(clear_by: float) -> None:
    beats = np.arange(0.5, 10, 0.5)
    plan = laid((0.0, 0.02), (9.98, 10.0))
    assert planned_lags_s(plan, song(beats), song(beats)) == pytest.approx(np.full(19, 0.02))
    found = beat_lags_s(
        clicks(beats),
        clicks(beats + 0.02),
        RATE,
        plan,
        song(beats),
        song(beats),
        clear_by=clear_by,
    )
    assert len(found) >= 17 and found == pytest.approx(0.02, abs=0.0015)
    early = laid((0.02, 0.0), (10.0, 9.98))
    assert np.median(planned_lags_s(early, song(beats), song(beats))) == pytest.approx(-0.02)


@pytest.mark.parametrize("step_s", [0.25, 1.0])
def test_two_beats_for_one_and_one_for_two_are_no_error(step_s: float) -> None:
    base, guest = song(np.arange(0.5, 10, 0.5)), song(np.arange(0.5, 10, step_s))
    lags = planned_lags_s(laid((0, 0), (10, 10)), base, guest)
    assert len(lags) >= 9 and np.abs(lags).max() < 1e-9


def test_what_sounds_elsewhere_than_planned_is_found_in_the_sound_only() -> None:
    beats = np.arange(0.5, 10, 0.5)
    plan = laid((0, 0), (10, 10))
    found = beat_lags_s(clicks(beats), clicks(beats - 0.03), RATE, plan, song(beats), song(beats))
    assert found == pytest.approx(-0.03, abs=0.0015)
    assert planned_lags_s(plan, song(beats), song(beats)) == pytest.approx(0)


def test_sound_that_might_as_well_lie_elsewhere_is_left_out() -> None:
    beats = np.arange(0.5, 10, 0.5)
    plan, facts = laid((0, 0), (10, 10)), song(beats)
    often = clicks(np.arange(0.25, 9.9, 0.05))  # a roll: every 50 ms looks like a beat
    assert len(beat_lags_s(often, often, RATE, plan, facts, facts)) >= 17
    assert len(beat_lags_s(often, often, RATE, plan, facts, facts, clear_by=0.2)) == 0


def test_silence_and_songs_without_beats_have_no_lags() -> None:
    beats = np.arange(0.5, 10, 0.5)
    plan, silent = laid((0, 0), (10, 10)), np.zeros((1, 10 * RATE), np.float32)
    none = song(np.zeros(0))
    assert len(beat_lags_s(clicks(beats), silent, RATE, plan, song(beats), song(beats))) == 0
    assert len(beat_lags_s(clicks(beats), clicks(beats), RATE, plan, song(beats), none)) == 0
    for base, guest in ((song(beats), none), (none, song(beats))):
        assert len(planned_lags_s(plan, base, guest)) == 0
    nothing = GuestPlan(0, (), ())
    assert len(planned_lags_s(nothing, song(beats), song(beats))) == 0
