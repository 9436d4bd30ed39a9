import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mashnet.music.tempo_levels import (
    ANY_RATIO,
    LEVELS,
    OCTAVES,
    ONE_LEVEL,
    THREE_HALVES,
    TWO_THIRDS,
    folded,
    level_name,
    nearest_level,
    tempo_words,
)


@pytest.mark.parametrize(
    ("base_bpm", "guest_bpm", "level", "ratio"),
    [
        (120, 120, 1, 1),
        (120, 110, 1, 120 / 110),
        (140, 70, 2, 1),  # half time
        (70, 140, 1 / 2, 1),  # double time
        (120, 65, 2, 60 / 65),
        (66, 120, 1 / 2, 1.1),
        (80, 100, 1, 0.8),
        (120, 100, 1, 1.2),
    ],
)
def test_tempi_meet_at_a_level(base_bpm, guest_bpm, level, ratio):
    assert folded(base_bpm / guest_bpm) == pytest.approx((level, ratio))


@pytest.mark.parametrize("ratio", [0.39, 0.61, 0.79, 1.21, 1.55, 2.41, 4.0, 0.25])
def test_what_lies_between_levels_does_not_meet(ratio):
    assert folded(ratio) is None
    assert folded(ratio, (4, 4)) is None
    assert folded(ratio, tempo_range=ANY_RATIO, levels=OCTAVES) is not None


def test_thirds_meet_only_where_bars_are_equally_long():
    assert folded(80 / 120, (4, 3)) == pytest.approx((TWO_THIRDS, 1))
    assert folded(80 / 120, (4, 6)) == pytest.approx((TWO_THIRDS, 1))
    assert folded(120 / 80, (3, 4)) == pytest.approx((THREE_HALVES, 1))
    assert folded(120 / 80, (6, 4)) == pytest.approx((THREE_HALVES, 1))
    for metres in ((4, 4), (3, 3), (3, 4), (6, 4), (None, 3), (4, None), (4, 0), (None, None)):
        assert folded(80 / 120, metres) is None
    for metres in ((4, 4), (6, 6), (4, 3), (4, 6), (None, 4), (3, None)):
        assert folded(120 / 80, metres) is None


def test_the_papers_rule_takes_tempi_as_they_are_written():
    for ratio in (0.5, 0.79, 1.21, 2.0):
        assert folded(ratio, (4, 3), levels=ONE_LEVEL) is None
    for ratio in (0.8, 0.93, 1.0, 1.2):
        assert folded(ratio, (4, 3), levels=ONE_LEVEL) == (1.0, ratio)  # to the bit
    assert folded(2.0, tempo_range=(0.5, 2.0), levels=ONE_LEVEL) == (1.0, 2.0)


@given(st.floats(0.05, 20), st.sampled_from([(4, 4), (4, 3), (6, 4), (None, None)]))
def test_level_and_ratio_make_the_ratio_again_and_the_least_is_stretched(ratio, metres):
    found = folded(ratio, metres)
    if found is None:
        return
    assert found.level * found.ratio == pytest.approx(ratio)
    assert 0.8 <= found.ratio <= 1.2
    for octave in (1, 1 / 2, 2):
        assert abs(math.log2(found.ratio)) <= abs(math.log2(ratio / octave)) + 1e-12


@given(st.floats(0.8, 1.2))
def test_what_met_before_meets_as_before(ratio):
    assert folded(ratio, (4, 4)) == (1.0, ratio)
    assert folded(ratio, (3, 4)) == (1.0, ratio)  # below the border of 3 : 2


@given(st.floats(0.3, 3.3), st.sampled_from([(4, 4), (4, 3), (3, 4)]))
def test_pairs_of_songs_meet_both_ways(ratio, metres):
    there = folded(ratio, metres, (0.8, 1.25))
    back = folded(1 / ratio, metres[::-1], (0.8, 1.25))
    if there and back:
        assert there.level * back.level == pytest.approx(1)
        assert there.ratio * back.ratio == pytest.approx(1)


def test_names():
    assert [level_name(level) for level in (1.0, 2.0, 0.5)] == ["", "half time", "double time"]
    assert nearest_level(4.1, OCTAVES) == 4
    assert set(LEVELS) > set(ONE_LEVEL)


@pytest.mark.parametrize(
    ("ratio", "said"), [(1.004, "as it is"), (1.076, "8 % faster"), (0.8, "20 % slower")]
)
def test_tempi_in_words(ratio: float, said: str) -> None:
    assert tempo_words(ratio) == said
    assert tempo_words(ratio, 2.0) == f"{said}, half time"
    assert tempo_words(ratio, 1.0) == said
