"""Which proposals become the best and the worst, for any scores."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mashnet.evaluation.protocols.renderer.choices import best_and_worst


@dataclass(frozen=True)
class Clip:
    song_id: str


@dataclass(frozen=True)
class Given:
    clip: Clip


@dataclass(frozen=True)
class Proposed:
    base: Clip
    guests: dict = field(default_factory=dict)
    distance: float = 0.0


SONGS = [Clip(name) for name in "abcde"]
ALL = [
    Proposed(base, {"vocal": Given(guest)}, float(i))
    for i, (base, guest) in enumerate((b, g) for b in SONGS for g in SONGS if b != g)
]


@given(
    st.lists(st.integers(0, 3), min_size=len(ALL), max_size=len(ALL)),
    st.integers(0, 25),
    st.integers(0, 25),
    st.integers(1, 4),
)
def test_lists_are_apart_ordered_and_no_song_is_in_them_too_often(
    given_scores: list[int], top: int, bottom: int, per_song: int
) -> None:
    scores = np.array(given_scores, dtype=float)
    best, worst = best_and_worst(ALL, scores, top=top, bottom=bottom, per_song=per_song)
    assert not set(best) & set(worst)
    assert len(best) <= top and len(worst) <= bottom
    assert list(scores[best]) == sorted(scores[best], reverse=True)
    assert list(scores[worst]) == sorted(scores[worst])
    for indices in (best, worst):
        assert len(indices) == len(set(indices))
        bases = Counter(ALL[i].base.song_id for i in indices)
        guests = Counter(ALL[i].guests["vocal"].clip.song_id for i in indices)
        assert max([*bases.values(), *guests.values()], default=0) <= per_song
    if top:
        assert scores[best[0]] == scores.max()


def test_who_likes_all_alike_has_two_different_lists() -> None:
    best, worst = best_and_worst(ALL, np.zeros(len(ALL)), top=5, bottom=5, per_song=2)
    assert len(best) == len(worst) == 5
    assert not set(best) & set(worst)


def test_of_few_both_lists_get_their_share() -> None:
    scores = np.arange(len(ALL), dtype=float)
    for few, top, bottom, expected in (
        (12, 20, 20, (6, 6)),
        (9, 20, 10, (6, 3)),
        (3, 9, 1, (2, 1)),
    ):
        best, worst = best_and_worst(ALL[:few], scores[:few], top=top, bottom=bottom, per_song=20)
        assert (len(best), len(worst)) == expected
        assert min(scores[best]) > max(scores[worst])
