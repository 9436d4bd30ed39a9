"""What people are told of a placement."""

import pytest

from mashnet.music.placement import Placement
from mashnet.music.placement_words import placement_words
from mashnet.music.song_facts import SongFacts


def song(name: str, bar_s: float, beats_per_bar: int | None = 4) -> SongFacts:
    downbeats = tuple(bar_s * bar for bar in range(40))
    return SongFacts(name, 40 * bar_s, downbeats, downbeats, beats_per_bar)


BASE, GUEST = song("Base", 2.0), song("Guest", 2.06)


def test_bars_are_counted_from_one_and_moves_are_named() -> None:
    placement = Placement(8, 16, 8, 2, -12.0, 1.0, 1.03, 0.7, 0.83)
    assert placement_words(placement, BASE, GUEST) == (
        "bars 9–16 of Guest on bars 17–24 of Base (0:32), +2 semitones, −12 cents, 3 % faster; "
        "sure 0.83"
    )


def test_what_does_not_move_is_not_said() -> None:
    said = placement_words(Placement(0, 0, 1), BASE, GUEST)
    assert said == "bar 1 of Guest on bar 1 of Base (0:00)"
    said = placement_words(Placement(0, 35, 1, -1, 0.4, tempo_ratio=0.9), BASE, GUEST)
    assert said == "bar 1 of Guest on bar 36 of Base (1:10), −1 semitone, 10 % slower"


@pytest.mark.parametrize(
    ("level", "base_bar", "guest_bar", "said"),
    [
        (2.0, 4, 4, "bars 3–4 of Guest on bars 1–4 of Base (0:00), half time"),
        (0.5, 4, 4, "bars 3–10 of Guest on bars 1–4 of Base (0:00), double time"),
        (2 / 3, 4, 6, "bars 3–6 of Guest on bars 1–4 of Base (0:00), 3 on 2"),
        (2 / 3, 4, 3, "bars 3–10 of Guest on bars 1–4 of Base (0:00), 3 on 2"),
        (3 / 2, 3, 4, "bars 3–4 of Guest on bars 1–4 of Base (0:00), 2 on 3"),
        (8.0, None, None, "bar 3 of Guest on bars 1–4 of Base (0:00), level 8"),
    ],
)
def test_a_phrase_is_as_many_bars_of_the_guest_as_it_has_beats_for(
    level: float, base_bar: int | None, guest_bar: int | None, said: str
) -> None:
    placement = Placement(2, 0, 4, tempo_level=level)
    base, guest = song("Base", 2.0, base_bar), song("Guest", 2.0, guest_bar)
    assert placement_words(placement, base, guest) == said


def test_a_bar_that_nobody_knows_the_time_of_has_none() -> None:
    assert placement_words(Placement(0, 50, 1), BASE, GUEST) == "bar 1 of Guest on bar 51 of Base"
