"""Loops of unrelated songs: drawn as from a list of them, which is never made."""

import itertools

import numpy as np
import pytest

from data_pipelines.negatives.drawing import Pool, Sound

SONGS = 12


@pytest.fixture
def pool() -> Pool:
    """Twelve songs of three loops; songs 0 and 1, and 1 and 2, have a loop in common."""
    random = np.random.default_rng(0)
    loops, sounds = [], {}
    for song, number in itertools.product(range(SONGS), range(3)):
        name = f"{song}-{number}"
        loops.append(
            {
                "loop_id": name,
                "song_id": str(song),
                "kind": ("harmonic", "drums", "bass")[number] if song % 3 else "harmonic",
                "hash": f"{int(random.integers(1 << 62)):016x}",
            }
        )
        sounds[name] = Sound(random.random((173, 16), dtype=np.float32))
    for one, other in (("0-1", "1-2"), ("1-0", "2-0")):
        rows = {row["loop_id"]: row for row in loops}
        rows[other]["hash"] = f"{int(rows[one]['hash'], 16) ^ 0b1011:016x}"  # three bits away
        sounds[other] = sounds[one]
    # As near, but it sounds otherwise: no relation.
    loops[-1]["hash"] = loops[0]["hash"]
    return Pool(loops, sounds)


RELATED = {"0": {"0", "1"}, "1": {"0", "1", "2"}, "2": {"1", "2"}}


@pytest.mark.parametrize("harmonic", [True, False])
def test_it_draws_as_from_a_list_of_all_that_are_unrelated(pool: Pool, harmonic: bool) -> None:
    for song in map(str, range(SONGS)):
        allowed = [
            row["loop_id"]
            for row in pool.loops
            if row["song_id"] not in RELATED.get(song, {song})
            and (not harmonic or row["kind"] == "harmonic")
        ]
        drawn = set()
        for seed in range(200):
            expected = np.random.default_rng(seed).choice(np.array(allowed))
            found = pool.stranger(song, np.random.default_rng(seed), harmonic=harmonic)
            assert found is not None and found["loop_id"] == expected
            drawn.add(expected)
        assert drawn == set(allowed)


def test_where_all_are_related_there_is_none(pool: Pool) -> None:
    few = Pool([row for row in pool.loops if row["song_id"] in ("0", "1")], pool.sounds)
    assert few.stranger("0", np.random.default_rng(0), harmonic=False) is None
    assert few.stranger("1", np.random.default_rng(0), harmonic=True) is None
