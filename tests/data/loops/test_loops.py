"""Loops and their changes: beats in another order, hashes, parts of a database."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mashnet.audio.io import write_flac
from mashnet.data.loops.loops import (
    BEAT_SAMPLES,
    LOOP_SAMPLES,
    SAMPLE_RATE,
    average_hash,
    beats_faded,
    changed,
    hash_distance,
    log_mel_of,
    part_of,
)
from mashnet.data.mashupdb import MashupDB
from mashnet.errors import AudioError, DatabaseError


def counted() -> np.ndarray:
    """A loop whose beat b has the level b."""
    return np.repeat(np.arange(4, dtype=np.float32), BEAT_SAMPLES)


def levels(loop: np.ndarray) -> list[float]:
    """The level in the middle of each beat."""
    return loop.reshape(4, BEAT_SAMPLES)[:, BEAT_SAMPLES // 2].tolist()


def test_changes_by_hand():
    assert levels(changed(counted(), {})) == [0, 1, 2, 3]
    assert levels(changed(counted(), {"reverse": True})) == [3, 2, 1, 0]
    assert levels(changed(counted(), {"shift": 1})) == [1, 2, 3, 0]
    assert levels(changed(counted(), {"shift": 3})) == [3, 0, 1, 2]
    assert levels(changed(counted(), {"order": [2, 0, 1, 3]})) == [2, 0, 1, 3]


@given(st.integers(1, 3))
def test_a_shift_is_a_cyclic_roll_to_the_sample(beats):
    loop = np.random.default_rng(0).standard_normal(LOOP_SAMPLES).astype(np.float32)
    shifted = changed(loop, {"shift": beats})
    np.testing.assert_array_equal(shifted, np.roll(loop, -beats * BEAT_SAMPLES))
    back = changed(shifted, {"shift": 4 - beats})
    np.testing.assert_array_equal(back, loop)


CHANGES = [{}, {"reverse": True}, *({"shift": k} for k in (1, 2, 3))] + [
    {"order": list(order)} for order in itertools.permutations(range(4))
]


@pytest.mark.parametrize("params", CHANGES)
def test_the_envelope_of_beats_says_nothing_of_the_change(params):
    """Of a loop that is the same everywhere, no change leaves a mark: not at joints, not inside."""
    level = np.ones(LOOP_SAMPLES, np.float32)
    np.testing.assert_array_equal(changed(beats_faded(level), params), beats_faded(level))
    noise = np.random.default_rng(0).standard_normal(LOOP_SAMPLES).astype(np.float32)
    faded = changed(beats_faded(noise), params)
    np.testing.assert_allclose(faded, beats_faded(changed(noise, params)), atol=1e-6)
    joints = np.arange(0, LOOP_SAMPLES, BEAT_SAMPLES)
    assert np.abs(faded[[*joints, *(joints - 1)]]).max() < 0.02


@pytest.mark.parametrize("params", [{"shift": 4}, {"shift": 0}, {"order": [0, 1, 2]}, {"x": 1}])
def test_changes_that_make_no_sense(params):
    with pytest.raises(ValueError, match="shifted|order|no change"):
        changed(counted(), params)


def test_another_length():
    with pytest.raises(ValueError, match="88200 samples"):
        changed(np.zeros(1000, np.float32), {})


def test_hash_by_hand():
    fields = np.zeros((16, 24))
    fields[:8] = 1.0  # the upper half of the rows is above the mean: the first 32 bits
    assert average_hash(fields) == "ffffffff00000000"
    assert hash_distance("ffffffff00000000", "ffffffff00000003") == 2


def test_a_loop_is_compared_as_it_goes_on():
    tone = np.sin(2 * np.pi * 441 * np.arange(LOOP_SAMPLES) / SAMPLE_RATE).astype(np.float32)
    mel = log_mel_of(tone)
    assert mel.shape == (173, 128)
    heard = mel[80] > mel.max() - 0.5
    assert np.abs(mel - mel[80])[:, heard].max() < 0.01  # the edges are like the middle


def test_the_hash_tells_loops_apart():
    noise = np.random.default_rng(0).standard_normal(LOOP_SAMPLES).astype(np.float32) * 0.1
    first = noise * (np.arange(LOOP_SAMPLES) < BEAT_SAMPLES)
    louder = average_hash(log_mel_of(first * 1.1))
    assert hash_distance(average_hash(log_mel_of(first)), louder) < 5
    moved = average_hash(log_mel_of(changed(first, {"shift": 2})))
    assert hash_distance(average_hash(log_mel_of(first)), moved) >= 5


def test_a_part_of_a_database(tmp_path):
    write_flac(tmp_path / "loops" / "a.flac", (counted() / 8)[None], SAMPLE_RATE)
    database = MashupDB(tmp_path)
    row = {"path": "loops/a.flac", "loop_id": "a"}
    part, moved = part_of(database, row), part_of(database, row, '{"shift": 1}')
    assert part.part_id != moved.part_id
    heard = part.waveform(SAMPLE_RATE)
    np.testing.assert_allclose(heard, beats_faded(counted() / 8), atol=1e-4)
    assert heard.shape == (LOOP_SAMPLES,)
    assert levels(moved.waveform(SAMPLE_RATE) * 8) == pytest.approx([1, 2, 3, 0], abs=1e-3)
    assert part.waveform(16_000).shape == (32_000,)
    write_flac(tmp_path / "loops" / "a.flac", np.zeros((1, 1000), np.float32), SAMPLE_RATE)
    with pytest.raises(AudioError, match=r"lasts 0\.02 s; a loop is one bar"):
        part.waveform(SAMPLE_RATE)
    with pytest.raises(DatabaseError, match="leaves it"):
        part_of(database, {"path": "../a.flac", "loop_id": "a"})
