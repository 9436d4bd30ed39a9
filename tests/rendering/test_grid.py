import numpy as np
import pytest

from mashnet.music.tempo_levels import OCTAVES
from mashnet.rendering.grid import at_tempo_of, grid_of


def beats(tempo_bpm: float, first_s: float, last_s: float) -> np.ndarray:
    return np.arange(first_s, last_s, 60 / tempo_bpm)


def test_goes_on_to_both_ends_with_its_bars() -> None:
    tracked = beats(120, 2.0, 8.0)
    grid = grid_of(tracked, tracked[1::4], 4, 10.0)
    assert grid is not None
    assert grid.times_s[0] <= 0 and grid.times_s[-1] >= 10
    assert np.diff(grid.times_s) == pytest.approx(0.5)
    assert grid.times_s[grid.downbeats] == pytest.approx(np.arange(0.5, 10.1, 2))
    assert grid.beats_per_bar == 4
    assert grid.times_s[grid.first_downbeat] == pytest.approx(0.5)


def test_a_steady_song_is_freed_from_the_frames_of_its_tracker() -> None:
    exact = beats(132, 0.3, 40)
    grid = grid_of(np.round(exact, 2), (), 4, 40.0)
    assert grid is not None
    assert np.interp(np.arange(len(exact)), np.arange(len(grid.times_s)), grid.times_s) is not None
    nearest = np.abs(grid.times_s[None] - exact[:, None]).min(axis=1)
    assert nearest.max() < 0.004
    assert np.ptp(np.diff(grid.times_s)) < 1e-9


def test_a_free_song_keeps_its_beats() -> None:
    free = np.cumsum(0.5 + 0.08 * np.sin(np.arange(60) / 5))
    grid = grid_of(free, free[::4], 4, float(free[-1]) + 0.2)
    assert grid is not None
    assert np.isin(free.round(6), grid.times_s.round(6)).all()


def test_breaks_are_filled() -> None:
    tracked = np.delete(beats(100, 0.0, 30.0), [12, 13, 14, 30])
    grid = grid_of(tracked, (), 4, 30.0)
    assert grid is not None
    assert np.diff(grid.times_s) == pytest.approx(0.6)


@pytest.mark.parametrize("tracked", [[], [1.0], [1.0, 1.0], [float("nan"), 2.0]])
def test_less_than_two_beats_are_no_grid(tracked: list[float]) -> None:
    assert grid_of(tracked, tracked, 4, 10.0) is None


def test_without_downbeats_the_first_beat_begins_a_bar() -> None:
    grid = grid_of(beats(120, 0.25, 9), (), 3, 9.0)
    assert grid is not None
    assert grid.times_s[grid.first_downbeat] == pytest.approx(0.25)
    assert grid.beats_per_bar == 3


@pytest.mark.parametrize(
    ("guest_bpm", "counted_bpm"), [(140, 70), (70, 70), (35, 70), (280, 70), (90, 90), (110, 55)]
)
def test_metrical_levels_meet(guest_bpm: float, counted_bpm: float) -> None:
    base_beats = beats(70, 0.1, 40)
    base = grid_of(base_beats, base_beats[::4], 4, 40.0)
    guest_beats = beats(guest_bpm, 0.4, 40)
    guest = grid_of(guest_beats, guest_beats[::4], 4, 40.0)
    assert base is not None and guest is not None
    counted = at_tempo_of(guest, base)
    assert 60 / counted.period_s == pytest.approx(counted_bpm)
    # Downbeats stay downbeats.
    marks = counted.times_s[counted.downbeats]
    phase = ((marks - 0.4) / (4 * 60 / guest_bpm)) % 1
    assert np.minimum(phase, 1 - phase).max() < 1e-6


@pytest.mark.parametrize(
    ("guest_bpm", "guest_bar", "base_bpm", "base_bar", "level"),
    [(150, 3, 100, 4, 2 / 3), (150, 6, 100, 4, 2 / 3), (100, 4, 150, 3, 3 / 2)],
)
def test_bars_of_three_and_of_four_can_be_equally_long(
    guest_bpm: float, guest_bar: int, base_bpm: float, base_bar: int, level: float
) -> None:
    base_beats, guest_beats = beats(base_bpm, 0.1, 40), beats(guest_bpm, 0.7, 40)
    base = grid_of(base_beats, base_beats[::base_bar], base_bar, 40.0)
    guest = grid_of(guest_beats, guest_beats[::guest_bar], guest_bar, 40.0)
    assert base is not None and guest is not None
    counted = at_tempo_of(guest, base, 1.0, [level * octave for octave in OCTAVES])
    assert counted.period_s == pytest.approx(base.period_s)
    assert counted.times_s[0] <= 0 and counted.times_s[-1] >= 40
    assert np.diff(counted.times_s) == pytest.approx(base.period_s)
    marks = counted.times_s[counted.downbeats]
    inside = marks[(marks > 0) & (marks < 38)]
    assert inside == pytest.approx(guest_beats[::guest_bar][: len(inside)])
    # Its opposite: by octaves alone no beats meet.
    assert at_tempo_of(guest, base).period_s != pytest.approx(base.period_s)


def test_the_ratio_that_was_asked_for_decides_about_the_level() -> None:
    base_beats, guest_beats = beats(70, 0.1, 40), beats(140, 0.4, 40)
    base = grid_of(base_beats, base_beats[::4], 4, 40.0)
    guest = grid_of(guest_beats, guest_beats[::4], 4, 40.0)
    assert base is not None and guest is not None
    assert at_tempo_of(guest, base).period_s == pytest.approx(base.period_s)
    assert at_tempo_of(guest, base, 2.0).period_s == pytest.approx(2 * base.period_s)
