"""The best and the worst, no song too often."""

from collections import Counter
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mashnet.data.mashupdb import MashupDB
from mashnet.mashups.choosing import choose
from mashnet.mashups.proposals import Guest, LibraryClip, Proposal

DATABASE = MashupDB(Path("nowhere"))
DATABASE.__dict__["clip_rows"] = {
    name: {"song_id": f"song {name}", "title": name} for name in "ABCDEF"
}


def proposal(base: str, guest: str, semitones: int = 0) -> Proposal:
    clip = LibraryClip(DATABASE, guest)
    return Proposal(LibraryClip(DATABASE, base), {"vocal": Guest(clip, semitones, 1.0)}, {}, {})


def test_an_order_by_hand() -> None:
    proposals = [
        proposal("A", "B"),
        proposal("A", "C"),
        proposal("A", "D"),
        proposal("B", "C"),
        proposal("C", "A", semitones=3),
        proposal("C", "B", semitones=-1),
    ]
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.5])
    assert choose(proposals, scores, 6, per_song=9) == [0, 1, 2, 3, 5, 4]  # the tie: less moved
    assert choose(proposals, scores, 3, per_song=9) == [0, 1, 2]
    assert choose(proposals, scores, 6, per_song=1) == [0, 3, 4]  # 5 would bring B again
    assert choose(proposals, scores, 2, per_song=9, worst=True) == [5, 4]
    assert choose(proposals, scores, 6, per_song=1, worst=True) == [5, 3, 2]
    assert choose([], np.zeros(0), 5, per_song=1) == []


@given(
    st.lists(
        st.tuples(st.sampled_from("ABCDEF"), st.sampled_from("ABCDEF"), st.floats(-1, 1)),
        max_size=30,
    ),
    st.integers(1, 4),
    st.integers(0, 12),
)
def test_no_song_too_often_and_nobody_better_left_out(
    pairs: list[tuple[str, str, float]], per_song: int, count: int
) -> None:
    proposals = [proposal(base, guest) for base, guest, _ in pairs]
    scores = np.array([score for *_, score in pairs])
    chosen = choose(proposals, scores, count, per_song=per_song)
    assert len(set(chosen)) == len(chosen) <= count
    assert list(scores[chosen]) == sorted(scores[chosen], reverse=True)
    for part in (0, 1):
        most = Counter(pairs[index][part] for index in chosen).most_common(1)
        assert not most or most[0][1] <= per_song
    if len(chosen) < count:  # whoever is left out would have been too much
        bases = Counter(pairs[index][0] for index in chosen)
        guests = Counter(pairs[index][1] for index in chosen)
        for index in set(range(len(pairs))) - set(chosen):
            assert bases[pairs[index][0]] == per_song or guests[pairs[index][1]] == per_song
