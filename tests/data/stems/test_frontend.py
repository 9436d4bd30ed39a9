"""The windows that networks of the stems view hear."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings

from mashnet.data.parts import ArrayPart, Query, SumPart, instrument_of
from mashnet.data.stems.frontend import StemFrontend, is_silent
from mashnet.errors import ConfigError
from tests.stems import noise, tone

RATE = 1000  # Hz: arithmetic does not ask for more


def part(samples, rate=RATE):
    return ArrayPart(np.asarray(samples, np.float32), rate)


@given(st.integers(1, 9000), st.sampled_from([1.0, 1.5, 2.0, 8.0]))
@settings(max_examples=100, deadline=None)
def test_windows_cover_the_input_and_nothing_else(length, window_s):
    frontend = StemFrontend(sample_rate=RATE, window_s=window_s)
    wave = np.random.default_rng(length).uniform(0.1, 1, length).astype(np.float32)
    windows, weights = frontend.windows_of({"target": part(wave)})
    assert windows.shape[1] == round(window_s * RATE) and len(windows) == len(weights)
    flat = windows.flatten()
    assert np.array_equal(flat[:length].numpy(), wave) and not flat[length:].any()
    assert len(flat) - length < windows.shape[1]  # no window too many
    # 0.1 is −20 dB; of a window of which less than 1e-4 exists nothing is left above −60 dB.
    assert float(weights.sum()) * windows.shape[1] == pytest.approx(length, abs=9)
    assert (weights[:-1] == 1).all()


def test_weights_by_hand():
    frontend = StemFrontend(sample_rate=RATE, window_s=2.0)
    wave = np.full(7500, 0.5, np.float32)
    wave[2000:4000] = 0  # all of the second window
    wave[4000:5900] = 1e-5  # most of the third
    _, weights = frontend.windows_of({"context": part(wave)})
    assert weights.tolist() == [1.0, 0.0, 1.0, 0.75]


def test_silence_is_below_60_decibels():
    assert is_silent(torch.full((3, 100), 0.99e-3)).tolist() == [True] * 3
    assert not is_silent(torch.full((100,), 1.01e-3))
    frontend = StemFrontend(sample_rate=RATE, window_s=1.0)
    windows, weights = frontend.windows_of({"context": part(np.zeros(3500))})
    assert windows.shape == (4, 1000) and not weights.any()
    windows, weights = frontend.windows_of({"context": part([])})
    assert windows.shape == (1, 1000) and weights.tolist() == [0.0]


def test_a_group_is_heard_as_its_sum_as_long_as_the_longest():
    long, short = noise(0, 3.0, rate=RATE), noise(1, 1.2, rate=RATE)
    frontend = StemFrontend(sample_rate=RATE, window_s=2.0)
    group = {"harmonic": part(long), "vocal": part(short)}
    windows, _ = frontend.windows_of(group)
    expected = long.copy()
    expected[: len(short)] += short
    assert windows.flatten()[:3000].numpy() == pytest.approx(expected, abs=1e-7)
    # The names of the roles, and how the sum was put together, change nothing.
    other, _ = frontend.windows_of({"a": part(short), "z": part(long)})
    summed, _ = frontend.windows_of({"x": SumPart((part(long), part(short)))})
    assert torch.equal(other, windows) and torch.allclose(summed, windows, atol=1e-7)
    assert long is not windows and np.array_equal(long, noise(0, 3.0, rate=RATE))


def test_parts_of_other_rates_are_resampled():
    frontend = StemFrontend(sample_rate=16_000, window_s=1.0)
    windows, weights = frontend.windows_of(
        {"a": part(tone(440, 2.0, rate=44_100), 44_100), "b": part(tone(330, 2.0, rate=8000), 8000)}
    )
    assert windows.shape == (2, 16_000) and weights.tolist() == [1.0, 1.0]
    expected = tone(440, 2.0) + tone(330, 2.0)
    assert np.corrcoef(windows.flatten().numpy(), expected)[0, 1] > 0.99


def test_queries_say_what_they_look_for():
    group = {"context": part([1.0])}
    assert instrument_of(Query(group, instrument="fretless bass")) == "fretless bass"
    assert instrument_of(Query(group)) == instrument_of(group) == ""
    assert dict(Query(group)) == group


def test_settings():
    frontend = StemFrontend(sample_rate=RATE, window_s=2)
    assert StemFrontend(**frontend.settings).frontend_id == frontend.frontend_id
    assert StemFrontend(sample_rate=RATE, window_s=3).frontend_id != frontend.frontend_id
    assert frontend.describe() == "1000 Hz mono, windows of 2 s that cover the whole input"
    with pytest.raises(ConfigError, match=r"window_s=0.5: a window lasts at least one second"):
        StemFrontend(window_s=0.5)
