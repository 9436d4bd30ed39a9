"""Near hashes are those that a comparison with all finds."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipelines.negatives.near_hashes import NearHashes


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000), fewer_than=st.integers(1, 8), count=st.integers(1, 40))
def test_they_are_those_of_the_plain_loop(seed: int, fewer_than: int, count: int) -> None:
    random = np.random.default_rng(seed)
    first = random.integers(1 << 63, dtype=np.uint64)
    # Neighbours of one hash, 0 to 10 bits away, beside some that are random.
    hashes = [first]
    for _ in range(count):
        flipped = sum(1 << int(bit) for bit in random.choice(64, random.integers(11), False))
        hashes.append(first ^ np.uint64(flipped))
    hashes += random.integers(1 << 63, size=20, dtype=np.uint64).tolist()
    array = np.array(hashes, dtype=np.uint64)
    near = NearHashes(array, fewer_than=fewer_than)
    for index, one in enumerate(array.tolist()):
        expected = [i for i, h in enumerate(array.tolist()) if (h ^ one).bit_count() < fewer_than]
        assert near.to(index).tolist() == expected
