"""Orders: everybody's own, always the same, and no clip has a better place than another."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mashnet.listening.order import mixed, order_of

ITEMS = [f"{index:016x}" for index in range(8)]


def test_known_values() -> None:
    # FNV-1a of "" is its offset basis 0x811c9dc5; the finish of that by hand, step by step.
    value = 0x811C9DC5
    value ^= value >> 16
    value = value * 0x85EBCA6B % 2**32
    value ^= value >> 13
    value = value * 0xC2B2AE35 % 2**32
    assert mixed("") == value ^ (value >> 16)


@given(st.text(max_size=20), st.sets(st.text(max_size=8), max_size=10))
def test_an_order_has_each_item_once_and_does_not_depend_on_the_list(
    participant: str, items: set[str]
) -> None:
    order = order_of("t", participant, items)
    assert sorted(order) == sorted(items)
    assert order == order_of("t", participant, sorted(items, reverse=True))


def test_places_are_even() -> None:
    # Each of 8 clips in each of 8 places about 500 times among 4000 participants (p = 1/8).
    counts = np.zeros((8, 8))
    for person in range(4000):
        for place, item in enumerate(order_of("test", f"p{person}", ITEMS)):
            counts[ITEMS.index(item), place] += 1
    spread = np.sqrt(4000 / 8 * 7 / 8)
    assert np.abs(counts - 500).max() < 4.5 * spread
    # and neighbours are no fixed pairs
    followers = sum(
        "0 1" in " ".join(str(ITEMS.index(i)) for i in order_of("test", f"p{person}", ITEMS))
        for person in range(4000)
    )
    assert abs(followers - 4000 / 8) < 4.5 * spread
