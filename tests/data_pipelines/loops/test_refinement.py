from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipelines.loops.refinement import (
    Loop,
    Part,
    co_occurring,
    hash_of,
    loops_of_mix,
    loops_of_stems,
    mix_of,
    normalised,
    of_loop_length,
    without_duplicates,
)
from mashnet.audio.io import write_flac
from mashnet.data.loops.loops import DUPLICATE_BITS, LOOP_SAMPLES, hash_distance

RATE = 44_100
BAR = 50_000


def loop(hash_value: int, quality: float, layout: list[float], bar: int = 0) -> Loop:
    return Loop(
        bar=bar,
        kind="drum",
        samples=np.zeros(0, np.float32),
        hash=f"{hash_value:016x}",
        quality=quality,
        snr_db=quality,
        layout=np.array(layout),
        bar_s=2.0,
    )


def test_of_duplicates_the_best_stays_and_layouts_are_added_up():
    # Bits that differ from the first: 4 (a duplicate), 5 (not one), 0 (one).
    loops = [
        loop(0b0, 1.0, [1, 0, 0], bar=0),
        loop(0b1111, 3.0, [0, 2, 0], bar=1),
        loop(0b11111, 9.0, [0, 0, 7], bar=2),
        loop(0b0, 2.0, [0.5, 0, 0], bar=3),
    ]
    first, second = without_duplicates(loops)
    assert (first.bar, first.quality, first.layout.tolist()) == (1, 3.0, [1.5, 2, 0])
    assert (second.bar, second.layout.tolist()) == (2, [0, 0, 7])


def test_duplicates_of_duplicates_are_none():
    # 0 – 4 bits – 4 bits: the last is 8 bits from the first.
    kept = without_duplicates([loop(0, 0, [1]), loop(0xF, 0, [1]), loop(0xFF, 0, [1])])
    assert [v.layout.tolist() for v in kept] == [[2], [1]]


@given(st.lists(st.tuples(st.integers(0, 2**10 - 1), st.integers(0, 3)), max_size=20))
def test_every_loop_is_in_one_group_and_has_a_better_duplicate(given_loops):
    loops = [loop(h, q, np.eye(20)[i].tolist(), bar=i) for i, (h, q) in enumerate(given_loops)]
    kept = without_duplicates(loops)
    assert sum(v.layout for v in kept).tolist() == [1.0] * len(loops) + [0.0] * (20 - len(loops)) \
        if loops else kept == []  # fmt: skip
    for v in kept:
        members = [loops[i] for i in np.flatnonzero(v.layout)]
        assert v.bar in [m.bar for m in members]
        assert v.quality == max(m.quality for m in members)
        assert all(hash_distance(m.hash, members[0].hash) < DUPLICATE_BITS for m in members)


def test_bars_are_normalised_by_their_l2_norm_and_silent_ones_stay_so():
    layouts = np.array([[3.0, 0.0, 1.0], [4.0, 0.0, 0.0]])
    assert normalised(layouts).tolist() == [[0.6, 0.0, 1.0], [0.8, 0.0, 0.0]]


def test_loops_co_occur_where_both_exceed_the_threshold_in_one_bar():
    layouts = np.array([[0.9, 0.1, 0.0], [0.3, 0.0, 1.0], [0.2, 0.9, 0.0], [0.21, 0.0, 0.0]])
    assert co_occurring(layouts, 0.2) == [(0, 1), (0, 3), (1, 3)]
    assert co_occurring(layouts, 0.95) == []


STRENGTHS = st.lists(st.floats(0, 1), min_size=4, max_size=4)


@given(st.lists(STRENGTHS, min_size=1, max_size=6))
def test_pairs_are_each_there_once_whatever_the_layouts(layouts):
    pairs = co_occurring(np.array(layouts), 0.2)
    assert len(set(pairs)) == len(pairs)
    assert all(one < other for one, other in pairs)


def clicks(length: int) -> np.ndarray:
    """Return four equal clicks, one on each beat of a bar of some samples."""
    out = np.zeros(length, np.float32)
    click = np.random.default_rng(0).standard_normal(600) * np.exp(-np.arange(600) / 150)
    for beat in range(4):
        start = beat * length // 4
        out[start : start + 600] = click
    return out


@settings(max_examples=8, deadline=None)
@given(length=st.integers(22_050, 352_800))
def test_any_bar_is_stretched_to_two_seconds(length):
    stretched = of_loop_length(clicks(length), kind="drum", engine="pylibrb_r2")
    assert stretched.shape == (LOOP_SAMPLES,)
    assert stretched.dtype == np.float32


@pytest.mark.parametrize("length", [60_000, 80_001, 88_200, 110_003])
def test_beats_are_on_time_and_the_first_is_as_loud_as_the_others(length):
    stretched = of_loop_length(clicks(length), kind="drum", engine="pylibrb_r2")
    early = round(0.004 * RATE)
    beats = np.roll(stretched, early).reshape(4, -1)  # each from 4 ms before its time
    assert all(np.abs(beat).argmax() < 3 * early for beat in beats)
    energy = np.square(beats[:, :4000]).sum(axis=1)
    assert energy[0] == pytest.approx(energy[1:].mean(), rel=0.3)


def tone(hertz: float, level: float = 0.3, length: int = BAR) -> np.ndarray:
    return (level * np.sin(2 * np.pi * hertz * np.arange(length) / RATE)).astype(np.float32)


def part(path: Path, samples: np.ndarray, kind: str | None) -> Part:
    write_flac(path, samples[None], RATE)
    return Part(path, kind)


def test_hashes_tell_sounds_apart_at_any_level_that_is_not_clipped_to_silence():
    low, high = (of_loop_length(tone(h), kind="bass", engine="pylibrb_r2") for h in (80, 3000))
    assert hash_distance(hash_of(low), hash_of(high)) >= DUPLICATE_BITS
    assert hash_distance(hash_of(low), hash_of(0.9 * low)) < DUPLICATE_BITS


@pytest.fixture
def stems(tmp_path: Path) -> tuple[list[Part], dict[int, tuple[int, int]]]:
    """Return a bass in bars 0 to 3 (loudest in 2), a high line in 2 to 5, and its double."""
    silence = np.zeros(BAR, np.float32)
    low = [tone(80), tone(80), tone(80, 0.4), tone(80), silence, silence]
    high = [silence, silence, *[tone(3000)] * 4]
    parts = [
        part(tmp_path / "low.flac", np.concatenate(low), "bass"),
        part(tmp_path / "high.flac", np.concatenate(high), None),
        part(tmp_path / "double.flac", 0.9 * np.concatenate(high), "harmonic"),
    ]
    return parts, {n: (n * BAR, (n + 1) * BAR) for n in range(6)}


def test_bars_of_stems_are_loops_each_once(stems):
    parts, bars = stems
    low, high = loops_of_stems(mix_of(parts), parts, bars, 7, engine="pylibrb_r2")
    assert (low.kind, low.bar, low.layout.tolist()) == ("bass", 2, [1, 1, 1, 1, 0, 0, 0])
    assert (high.kind, high.layout.tolist()) == ("harmonic", [0, 0, 1, 1, 1, 1, 0])
    assert low.bar_s == BAR / RATE
    # In bar 2 the rest of the mix is 1.9 × 0.3 as strong, the loop 0.4.
    assert low.snr_db == pytest.approx(20 * np.log10(np.hypot(0.4, 0.57) / 0.57), abs=0.1)
    assert co_occurring(np.stack([low.layout, high.layout]), 0.2) == [(0, 1)]


def test_components_of_a_mix_have_the_kind_of_the_stem_they_are_made_of(stems):
    parts, bars = stems
    loops = loops_of_mix(mix_of(parts), parts, bars, 7, engine="pylibrb_r2", max_iterations=60)
    norms = np.linalg.norm([v.layout for v in loops], axis=0)
    np.testing.assert_allclose(norms, [1, 1, 1, 1, 1, 1, 0], atol=1e-6)
    for v in loops:
        spectrum = np.abs(np.fft.rfft(v.samples))
        hertz = spectrum.argmax() * RATE / LOOP_SAMPLES
        assert v.kind == ("bass" if hertz < 250 else "harmonic")
    assert {v.kind for v in loops} == {"bass", "harmonic"}


def test_stems_of_different_length_make_a_mix_as_long_as_the_longest(tmp_path):
    one = part(tmp_path / "a.flac", np.full(100, 0.25, np.float32), None)
    other = part(tmp_path / "b.flac", np.full(60, 0.5, np.float32), None)
    mix = mix_of([other, one])
    np.testing.assert_allclose(mix, [0.75] * 60 + [0.25] * 40, atol=1e-4)
