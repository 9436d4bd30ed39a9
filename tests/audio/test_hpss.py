"""Harmonic and percussive mels: librosa's numbers, exact medians, no trace of the batch."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import median_filter

from mashnet.audio import hpss
from mashnet.audio.hpss import HarmonicPercussiveMel, sliding_median
from mashnet.audio.numba_imports import compiling_alone

with compiling_alone():
    import librosa.decompose
    import librosa.feature.spectral
    import librosa.util.utils


RATE = 16_000


def librosa_features(samples):
    """What the published feature extraction computes, clip by clip, from librosa's own parts."""
    spectrum = librosa.stft(samples, n_fft=1024, win_length=400, hop_length=160)
    channels = []
    for part in librosa.decompose.hpss(spectrum):
        mel = librosa.feature.melspectrogram(
            S=np.abs(part) ** 2, sr=RATE, n_mels=64, fmin=60.0, fmax=7800.0
        )
        channels.append(librosa.power_to_db(mel, ref=np.max))
    return np.stack(channels)


def clips(seconds=2.0):
    t = np.arange(round(seconds * RATE)) / RATE
    noise = np.random.default_rng(0).standard_normal((3, len(t)))
    tone = np.sin(2 * np.pi * 440 * t)
    made = {
        "noise": 0.3 * noise[0],
        "tone": tone,
        "plucked": tone * np.exp(-8 * (t % 0.5)) + 1e-4 * noise[1],
        "clicks": 0.5 * noise[2] * (t % 0.25 < 0.01),
        "square_then_silence": np.sign(np.sin(2 * np.pi * 110 * t)) * (t < seconds / 2),
        "very_quiet": 1e-5 * noise[0],
        "silence": np.zeros_like(t),
        "constant": np.full_like(t, 0.5),
    }
    return {name: samples.astype(np.float32) for name, samples in made.items()}


def test_median_of_three_by_hand():
    x = torch.tensor([5.0, 1.0, 4.0, 2.0, 3.0])
    # Windows (5 5 1) (5 1 4) (1 4 2) (4 2 3) (2 3 3): the last numbers are repeated.
    assert sliding_median(x, 3, dim=0).tolist() == [5.0, 4.0, 2.0, 3.0, 3.0]


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([3, 7, 15, 31, 63]),
    st.integers(1, 70),
    st.integers(1, 9),
    st.booleans(),
    st.integers(0, 2**31),
)
def test_medians_are_exact(kernel, length, columns, ties, seed):
    """Also where the kernel is many times as long as the line, and where numbers are equal.

    SciPy is asked where it can be trusted: it errs on lines of two numbers and long kernels.
    """
    random = np.random.default_rng(seed)
    x = random.integers(0, 3, (2, length, columns)) if ties else random.random((2, length, columns))
    x = x.astype(np.float32)
    for dim in (1, 2):
        filtered = sliding_median(torch.from_numpy(x), kernel, dim).numpy()
        reach, size = [(0, 0)] * 3, [1, 1, 1]
        reach[dim], size[dim] = (kernel // 2, kernel // 2), kernel
        windows = np.lib.stride_tricks.sliding_window_view(
            np.pad(x, reach, mode="symmetric"), kernel, axis=dim
        )
        assert np.array_equal(filtered, np.median(windows, axis=-1).astype(np.float32))
        if x.shape[dim] >= kernel:
            assert np.array_equal(filtered, median_filter(x, size=size, mode="reflect"))


@pytest.mark.parametrize("kernel", [0, 1, 2, 5, 30, 32])
def test_other_kernels_are_refused(kernel):
    with pytest.raises(ValueError, match=f"kernel={kernel}: medians of 3, 7"):
        sliding_median(torch.rand(40), kernel, 0)
    with pytest.raises(ValueError, match=f"kernel={kernel}: medians of 3, 7"):
        HarmonicPercussiveMel(kernel=kernel)


@pytest.mark.parametrize("name", clips(0.1))
def test_features_are_those_of_librosa(name):
    samples = clips()[name]
    features = HarmonicPercussiveMel()(torch.from_numpy(samples)[None])[0]
    expected = librosa_features(samples)
    assert features.shape == expected.shape == (2, 64, 201)
    assert np.abs(features.numpy() - expected).max() < 1e-3  # dB


@pytest.mark.filterwarnings("ignore:n_fft=1024 is too large")
@pytest.mark.parametrize("samples", [1, 100, 1599, 5000])
def test_short_clips_too(samples):
    short = clips()["noise"][:samples]
    features = HarmonicPercussiveMel()(torch.from_numpy(short)[None])[0]
    assert np.abs(features.numpy() - librosa_features(short)).max() < 1e-3


def test_a_published_clip_has_501_frames():
    assert HarmonicPercussiveMel()(torch.rand(1, 5 * RATE) - 0.5).shape == (1, 2, 64, 501)


def test_a_clip_sounds_the_same_in_a_batch_and_stays_as_it_is():
    waves = torch.from_numpy(np.stack(list(clips(0.7).values()))).repeat(3, 1)
    before = waves.clone()
    mel = HarmonicPercussiveMel()
    together = mel(waves)
    alone = torch.cat([mel(wave[None]) for wave in waves])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)
    assert torch.equal(waves, before)


def test_blocks_leave_no_seams(monkeypatch):
    waves = torch.from_numpy(np.stack(list(clips(0.7).values())))
    whole = HarmonicPercussiveMel().power(waves)
    monkeypatch.setitem(hpss._BLOCK, "cpu", 1000)
    monkeypatch.setitem(hpss._CLIPS, "cpu", 3)
    torch.testing.assert_close(HarmonicPercussiveMel().power(waves), whole, atol=0, rtol=1e-6)


def test_tones_are_harmonic_and_clicks_percussive():
    made = clips()
    power = HarmonicPercussiveMel().power(
        torch.from_numpy(np.stack([made["tone"], made["clicks"]]))
    )
    (tone_h, tone_p), (clicks_h, clicks_p) = power.mean(dim=(-2, -1)).tolist()
    assert tone_h > 30 * tone_p
    assert clicks_p > 30 * clicks_h


def test_digital_silence_reads_as_loud_as_can_be():
    """The published trap, kept for parity: silence is its own maximum."""
    features = HarmonicPercussiveMel()(torch.zeros(1, 8000))
    assert features.min().item() == features.max().item() == 0.0


def test_mixed_precision_changes_nothing():
    wave = torch.from_numpy(clips(0.5)["plucked"])[None]
    mel = HarmonicPercussiveMel()
    with torch.autocast("cpu", torch.bfloat16):
        features = mel(wave)
    assert features.dtype == torch.float32
    assert torch.equal(features, mel(wave))


def test_at_least_three_times_as_fast_as_librosa():
    """Measured as CPU time: other work on the machine does not count. It is about eight times."""
    waves = np.stack([clips(5.0)["noise"]] * 4)
    mel = HarmonicPercussiveMel()
    librosa_features(waves[0][:8000])
    mel(torch.from_numpy(waves)[:1, :8000])
    began_s = time.process_time()
    for wave in waves[:2]:
        librosa_features(wave)
    librosa_s = (time.process_time() - began_s) / 2
    began_s = time.process_time()
    mel(torch.from_numpy(waves))
    assert (time.process_time() - began_s) / len(waves) < librosa_s / 3
