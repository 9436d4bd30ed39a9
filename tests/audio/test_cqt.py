"""The constant-Q transform against sums in the time domain, librosa, and arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mashnet.audio.cqt import ConstantQ
from mashnet.audio.numba_imports import compiling_alone
from mashnet.errors import ConfigError

with compiling_alone():
    import librosa.core.constantq
    import librosa.util.utils


RATE = 16_000
SMALL = {"sample_rate": 4000, "hop_samples": 50, "bins": 18, "bins_per_octave": 6, "f_min_hz": 90.0}


@pytest.fixture(scope="module")
def published():
    return ConstantQ()


def tone(hz, seconds, rate=RATE, amplitude=1.0):
    time_s = np.arange(round(seconds * rate)) / rate
    return (amplitude * np.sin(2 * np.pi * hz * time_s)).astype(np.float32)


def noise(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def in_time_domain(wave, frame, hz, *, rate, hop, steps):
    """One value of the transform, as its definition says, on a mirrored wave."""
    length = int(np.ceil(rate / (hz * (2 ** (1 / steps) - 1))))
    first = hop * frame - (length + 1) // 2
    places = np.abs(np.arange(first, first + length))
    places = np.minimum(places, 2 * (len(wave) - 1) - places)
    window = np.hanning(length + 1)[:-1]
    time_s = (np.arange(length) - (length + 1) // 2) / rate
    total = (wave[places].astype(float) * window * np.exp(-2j * np.pi * hz * time_s)).sum()
    return abs(total) / window.sum() * length**0.5


@pytest.mark.parametrize("samples", [3000, 9999, 20_000])
def test_every_kind_of_frame_is_the_sum_in_the_time_domain(samples):
    transform = ConstantQ(**SMALL)
    wave = noise(samples)
    found = transform.magnitude(torch.from_numpy(wave)[None])[0].numpy()
    frames = samples // 50 + 1
    assert found.shape == (18, frames)
    # First and last frames, both sides of the first border between blocks, and some others.
    border = transform.block_frames
    for frame in {0, 1, border - 1, border, frames // 2, frames - 2, frames - 1} & set(
        range(frames)
    ):
        for band in (0, 5, 17):
            hz = 90.0 * 2 ** (band / 6)
            expected = in_time_domain(wave, frame, hz, rate=4000, hop=50, steps=6)
            assert found[band, frame] == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_a_long_wave_has_several_blocks():
    assert 20_000 // 50 > 2 * ConstantQ(**SMALL).block_frames  # what the test above relies on


def test_the_published_transform_is_the_sum_in_the_time_domain(published):
    wave = noise(3 * RATE)
    found = published.magnitude(torch.from_numpy(wave)[None])[0]
    for band, frame in ((0, 0), (0, 150), (47, 153), (47, 154), (95, 299), (95, 300)):
        hz = 16.35 * 2 ** (band / 12)
        expected = in_time_domain(wave, frame, hz, rate=RATE, hop=160, steps=12)
        assert found[band, frame].item() == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_a_tone_by_hand(published):
    # Band 48 is four octaves above the lowest: 261.6 Hz, and its filter has
    # ⌈16000 / 261.6 / 0.0594631⌉ = ⌈1028.54⌉ samples. A real sine is half a complex tone.
    level = published.magnitude(torch.from_numpy(tone(261.6, 4, amplitude=0.5))[None])[0]
    assert level[48, 200].item() == pytest.approx(0.5 / 2 * 1029**0.5, rel=1e-3)
    assert level[:, 200].argmax() == 48
    assert (level[:, 100:300].std(1) / level[48, 200]).max() < 1e-3  # a steady tone is steady


def test_agrees_with_librosa_away_from_the_ends(published):
    wave = sum(tone(hz, 4, amplitude=0.1) for hz in (41.2, 110.0, 261.6, 1318.5, 3520.0))
    found = published.magnitude(torch.from_numpy(wave)[None])[0].numpy()[:, 100:-100]
    theirs = librosa.cqt(
        wave, sr=RATE, hop_length=160, fmin=16.35, n_bins=96, tuning=0, sparsity=0,
        pad_mode="reflect", res_type="soxr_vhq",
    )  # fmt: skip
    theirs = np.abs(theirs)[:, 100:-100]
    # librosa halves the rate for every octave, whose filters it rounds otherwise: some percent.
    assert np.abs(found - theirs).max() < 0.02 * theirs.max()
    loud = theirs > 0.1 * theirs.max()
    assert np.abs(20 * np.log10(found[loud] / theirs[loud])).max() < 0.5


def test_a_click_is_heard_in_its_frame(published):
    wave = torch.zeros(1, 2 * RATE)
    wave[0, 12_480] = 1.0
    assert published.magnitude(wave)[0, 95].argmax() == 12_480 / 160


def test_levels_are_decibels_over_eighty(published):
    wave = torch.from_numpy(tone(261.6, 2, amplitude=0.5))[None]
    loudest = 20 * np.log10(0.25 * 1029**0.5)  # as above: 18.1 dB
    levels = published(wave)
    assert levels[0, 48, 100].item() == pytest.approx(loudest / 80 + 1, abs=1e-3)
    assert (levels.amax() - levels.amin()).item() == pytest.approx(1.0, abs=1e-5)
    # Ten times louder is 20 dB, everywhere.
    assert torch.allclose(published(10 * wave), levels + 0.25, atol=1e-3)


def test_levels_do_not_depend_on_the_rest_of_the_batch(published):
    waves = torch.from_numpy(noise(5, RATE)) * torch.tensor([1e-3, 1.0, 1e-2, 0.0, 30.0])[:, None]
    together = published(waves)
    for i in range(5):
        away = (published(waves[i : i + 1])[0] - together[i]).abs()
        # Rounding shows where noise cancels almost to nothing, and is on average none.
        assert away.max() < 1e-4
        assert away.mean() < 1e-6


def test_silence_is_flat_and_short_sounds_are_heard(published):
    # 1e-10, the faintest magnitude, is −200 dB.
    assert torch.allclose(published(torch.zeros(1, RATE)), torch.tensor(-200 / 80 + 1))
    short = published(torch.from_numpy(tone(1046.4, 0.05))[None])
    assert short.shape == (1, 96, 6)
    assert torch.isfinite(short).all()
    assert short[0, :, 2].argmax() == 72  # six octaves up


def test_too_many_bands_are_refused():
    with pytest.raises(ConfigError, match="8371 Hz, above half of 16000 Hz"):
        ConstantQ(bins=109)
