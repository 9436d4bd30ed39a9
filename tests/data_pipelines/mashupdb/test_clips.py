import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_pipelines.mashupdb.clips import cut_points, roles_of


@given(
    duration_s=st.floats(10, 1800),
    period_s=st.floats(1.0, 4.0),
    first_s=st.floats(0, 4),
)
def test_clips_begin_on_downbeats_cover_the_song_and_keep_to_the_limits(
    duration_s, period_s, first_s
):
    downbeats = np.arange(first_s, duration_s, period_s)
    borders = cut_points(duration_s, downbeats, min_s=10, max_s=60)
    assert (borders[0], borders[-1]) == (0.0, duration_s)
    assert set(borders[1:-1]) <= set(downbeats.tolist())
    lengths = np.diff(borders)
    assert lengths.min() >= 10
    assert lengths.max() <= 60
    assert lengths.max() - lengths.min() <= 2 * period_s + 1e-6


def test_a_song_that_fits_is_one_clip_and_one_that_is_too_short_is_none():
    assert cut_points(60.0, [0.0, 2.0], min_s=10, max_s=60) == [0.0, 60.0]
    assert cut_points(9.9, [0.0, 2.0], min_s=10, max_s=60) == []


def test_without_downbeats_clips_are_equal():
    assert cut_points(100.0, [], min_s=10, max_s=60) == [0.0, 50.0, 100.0]


@pytest.mark.parametrize(
    ("kinds", "roles"),
    [
        (["vocal", "harmonic", "other", "percussion"], "vocal harmonic harmonic percussion"),
        (["lead", "harmonic", "other", "percussion"], "vocal harmonic harmonic percussion"),
        (["vocal", "lead", "percussion"], "vocal harmonic percussion"),
        (["other", "harmonic", "percussion"], "vocal harmonic percussion"),
        (["harmonic", "percussion"], "harmonic percussion"),
        (["vocal", "vocal", "percussion"], "vocal vocal percussion"),
    ],
)
def test_who_sings_leads_or_is_left_takes_the_vocal_role(kinds, roles):
    assert roles_of(kinds) == roles.split()


def test_composite_stems_have_no_role():
    assert roles_of(["harmonic", ""]) == ["harmonic", ""]
    assert roles_of(["", ""]) == ["", ""]
