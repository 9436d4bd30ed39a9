import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipelines.loops.extraction import (
    HOP,
    N_FFT,
    PLACES,
    UnusableError,
    bar_masks,
    bar_signal,
    bar_spectrum,
    decompose,
    expanded,
    extract_loops,
    find_bars,
    ranks_of,
    snr_db,
    sounds,
    spectral_cube,
)

RATE = 44_100
BARS = 16
#             bars 0 to 15: two loops that take turns by fours, and drums in the middle
LAYOUTS = np.array([[1, 1, 1, 1, 0, 0, 0, 0] * 2, [0, 0, 0, 0, 1, 1, 1, 1] * 2, [0] * 6 + [1] * 10])
PITCHES = [(220.0, 330.0), (440.0, 554.4), ()]


def one_bar(loop: int, length: int) -> np.ndarray:
    """Return a pattern of eighths, the same part of the bar whatever its length."""
    random = np.random.default_rng(loop)
    out = np.zeros(length + 6000)
    time_s = np.arange(6000) / RATE
    for step in np.flatnonzero(np.arange(8) % (loop + 1) == 0):
        if PITCHES[loop]:
            hertz = random.choice(PITCHES[loop])
            note = np.sin(2 * np.pi * hertz * time_s) * np.exp(-20 * time_s)
        else:
            note = random.standard_normal(6000) * np.exp(-80 * time_s)
        start = step * length // 8
        out[start : start + 6000] += 0.2 * note
    return out[:length]


def song(lengths: np.ndarray) -> tuple[np.ndarray, list[tuple[int, int]]]:
    borders = 5000 + np.concatenate([[0], np.cumsum(lengths)])
    mix = np.zeros(borders[-1] + 3000, np.float32)
    bars = [(int(a), int(b)) for a, b in itertools.pairwise(borders)]
    for (first, end), layout in zip(bars, LAYOUTS.T, strict=True):
        for loop in np.flatnonzero(layout):
            mix[first:end] += one_bar(loop, end - first).astype(np.float32)
    return mix, bars


def unequal() -> np.ndarray:
    return np.round(70_000 * (1 + 0.04 * np.sin(np.arange(BARS)))).astype(int)


@pytest.fixture(scope="module")
def alternating():
    return song(unequal())


def best_correlations(activations: np.ndarray) -> list[float]:
    both = np.corrcoef(np.vstack([LAYOUTS, activations.T + 1e-9 * np.eye(*activations.T.shape)]))
    return [float(row.max()) for row in both[: len(LAYOUTS), len(LAYOUTS) :]]


def test_the_layout_of_alternating_loops_is_recovered_though_bars_differ_in_length(alternating):
    mix, bars = alternating
    _, activations = decompose(spectral_cube(mix, bars), max_iterations=100)
    found = best_correlations(activations)
    print("correlation of layouts with the truth:", np.round(found, 3))
    assert min(found) > 0.8
    assert np.mean(found) > 0.9


def test_the_loops_of_a_bar_add_up_to_it(alternating):
    mix, bars = alternating
    spectra, activations = decompose(spectral_cube(mix, bars), max_iterations=10)
    found = []
    for index in (0, 7, 15):
        bar = bars[index]
        masks = bar_masks(spectra, activations[index])
        spectrum = bar_spectrum(mix, bar)
        whole = mix[slice(*bar)]
        total = sum(bar_signal(expanded(m, bar) * spectrum, len(whole)) for m in masks)
        found.append(snr_db(whole, total))
    print("SNR of the sum of loops in dB:", np.round(found, 1))
    assert min(found) > 60


def test_a_loop_sounds_as_its_pattern_does(alternating):
    mix, bars = alternating
    loops = extract_loops(mix, bars, max_iterations=100)
    for loop in loops:
        first, end = bars[loop.bar]
        assert loop.samples.shape == (end - first,)
        assert loop.activation.shape == (BARS,)
        assert loop.bar == loop.activation.argmax()
        assert loop.snr_db == pytest.approx(snr_db(mix[first:end], loop.samples))
        assert (loop.mask >= 0).all() and (loop.mask <= 1 + 1e-6).all()
    for pattern in range(3):
        near = [
            snr_db(one_bar(pattern, len(loop.samples)).astype(np.float32), loop.samples)
            for loop in loops
        ]
        print(f"pattern {pattern}: best SNR {max(near):.1f} dB")
        assert max(near) > 3


def test_the_same_seed_gives_the_same_bytes_and_the_level_does_not_matter(alternating):
    mix, bars = alternating
    first, second = (extract_loops(mix, bars, max_iterations=5, seed=3) for _ in range(2))
    assert [v.samples.tobytes() for v in first] == [v.samples.tobytes() for v in second]
    quiet = extract_loops(mix / 4, bars, max_iterations=5, seed=3)
    assert [v.bar for v in quiet] == [v.bar for v in first]
    for one, other in zip(first, quiet, strict=True):
        assert snr_db(one.samples, 4 * other.samples) > 60


def test_silence_has_no_loops():
    assert extract_loops(np.zeros(200_000, np.float32), [(0, 90_000), (90_000, 180_000)],
                         max_iterations=3) == []  # fmt: skip


def test_the_cube_hears_a_click_at_its_place_in_bars_of_any_length():
    bars = [(0, 50_000), (50_000, 150_000)]
    mix = np.zeros(160_000, np.float32)
    for first, end in bars:
        mix[first + (end - first) * 3 // 4] = 1.0
    cube = spectral_cube(mix, bars)
    assert cube.shape[1:] == (PLACES, 2)
    # Three quarters of 96 places: between places 71 and 72, whose centres are at 71.5 and 72.5.
    assert all(71 <= place <= 72 for place in cube.sum(axis=0).argmax(axis=0))
    assert np.isfinite(cube).all()


def test_ranks():
    # By hand: 128^0.6 = 18.38, 96^0.6 = 15.46, 8^0.6 = 3.48, 26^0.6 = 7.06
    assert ranks_of((128, 96, 8)) == [18, 15, 3]
    assert ranks_of((26, 1, 2)) == [7, 1, 2]


def test_where_nothing_sounds_loops_share_equally():
    spectra = np.zeros((2, 3, 4))
    spectra[0, 0] = [1, 3, 0, 0]
    masks = bar_masks(spectra, np.array([1.0, 1.0, 0.0, 5.0]))
    assert masks[:, 0, 0].tolist() == [0.25, 0.75, 0, 0]
    assert (masks[:, 1:] == 0.25).all()


@settings(max_examples=25, deadline=None)
@given(length=st.integers(1, 60_000), first=st.integers(0, 70_000), seed=st.integers(0, 9))
def test_any_bar_goes_through_the_stft_unharmed(length, first, seed):
    samples = np.random.default_rng(seed).standard_normal(70_000).astype(np.float32)
    padded = np.pad(samples, (0, 60_000))
    bar = (first, first + length)
    back = bar_signal(bar_spectrum(samples, bar), length)
    np.testing.assert_allclose(back, padded[slice(*bar)], atol=1e-5)
    ones = expanded(np.ones((128, PLACES)), bar)
    assert ones.shape == bar_spectrum(samples, bar).shape
    np.testing.assert_allclose(ones, 1, atol=1e-6)


def test_a_mask_lands_in_its_part_of_the_bar():
    mask = np.zeros((128, PLACES))
    mask[:, : PLACES // 2] = 1
    bar = (10_000, 98_200)
    samples = np.random.default_rng(0).standard_normal(110_000).astype(np.float32)
    kept = bar_signal(expanded(mask, bar) * bar_spectrum(samples, bar), 88_200)
    away = N_FFT // 2 + HOP + 88_200 // PLACES
    np.testing.assert_allclose(kept[: 44_100 - away], samples[10_000:][: 44_100 - away], atol=1e-4)
    np.testing.assert_allclose(kept[44_100 + away :], 0, atol=1e-4)


def test_snr_by_hand():
    whole = np.array([1.0, 1.0, 1.0, 1.0], np.float32)
    assert snr_db(whole, 0.9 * whole) == pytest.approx(20.0, abs=1e-4)  # 4 / 0.04
    assert snr_db(whole, 0 * whole) == 0.0
    assert snr_db(whole, whole) == 120.0


def clip(downbeats, beats_per_bar=4) -> dict:
    return {"downbeats": downbeats, "beats_per_bar": beats_per_bar}


def test_bars_lie_between_downbeats_and_a_missed_one_costs_its_bar_only():
    downbeats = [0.5 + 2 * i for i in range(22) if i != 3]
    bars = find_bars(clip(downbeats), 8)
    assert bars[0] == (22_050, 110_250)
    assert sorted(set(range(20)) - set(bars)) == [2]
    assert all(end - first == 88_200 for first, end in bars.values())


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (clip(None), "no downbeats"),
        (clip([]), "no downbeats"),
        (clip([float("nan")]), "no downbeats"),
        (clip([2.0 * i for i in range(20)], 3), "has 3 beats in a bar"),
        (clip([2.0 * i for i in range(8)]), "has 7 bars, less than loops.min_bars=8"),
        (clip([2.0] * 20), "has 0 bars"),
        (clip(np.cumsum(np.linspace(1.5, 2.5, 20)).tolist()), "changes its tempo"),
        (clip([0.3 * i for i in range(20)]), "its bars last 0.30 s"),
        (clip([9.0 * i for i in range(20)]), "its bars last 9.00 s"),
    ],
)
def test_clips_without_usable_bars_say_why(row, reason):
    with pytest.raises(UnusableError, match=reason):
        find_bars(row, 8)


def test_a_bar_sounds_only_if_all_of_it_is_there():
    samples = np.full(100, 0.5, np.float32)
    samples[50:] = 1e-4  # -80 dBFS
    assert sounds(samples, (0, 50))
    assert not sounds(samples, (50, 100))
    assert not sounds(samples, (0, 101))
