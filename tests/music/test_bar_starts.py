"""When bars and phrases begin."""

import numpy as np
import pytest

from mashnet.music.bar_starts import bar_starts_s, phrase_s
from mashnet.music.song_facts import SongFacts


def test_bars_begin_at_downbeats_in_order_of_time() -> None:
    song = SongFacts("a", 9.0, (1.0, 2.0), (5.0, 1.0, 3.0, float("nan"), 3.0))
    assert bar_starts_s(song).tolist() == [1.0, 3.0, 5.0]


def test_without_downbeats_bars_are_counted_from_the_first_beat() -> None:
    beats = tuple(np.arange(0.5, 6.0, 0.5))
    assert bar_starts_s(SongFacts("a", 6.0, beats)).tolist() == [0.5, 2.5, 4.5]
    assert bar_starts_s(SongFacts("a", 6.0, beats, (), 3)).tolist() == [0.5, 2.0, 3.5, 5.0]
    assert bar_starts_s(SongFacts("a", 6.0)).tolist() == []


@pytest.mark.parametrize(
    ("bar", "bars", "duration_s", "wanted_s"),
    [(0, 2, 9.0, (1.0, 5.0)), (1, 2, 9.0, (3.0, 7.0)), (2, 1, 6.5, (5.0, 6.5))],
)
def test_a_phrase_ends_where_the_next_bar_begins_or_the_clip_ends(
    bar: int, bars: int, duration_s: float, wanted_s: tuple[float, float]
) -> None:
    assert phrase_s(SongFacts("a", duration_s, (), (1.0, 3.0, 5.0)), bar, bars) == wanted_s


def test_a_single_bar_lasts_to_the_end() -> None:
    assert phrase_s(SongFacts("a", 4.0, (), (1.0,)), 0, 1) == (1.0, 4.0)
