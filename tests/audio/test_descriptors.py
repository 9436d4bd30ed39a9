"""Pitch classes of what stands out of a spectrum."""

import numpy as np
import pytest

from mashnet.audio.descriptors import SAMPLE_RATE, chromagram, chromagram_of_peaks

TIME_S = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE


def tone(pitch: float) -> np.ndarray:
    """Return a tone so many semitones above the C below A = 440 Hz."""
    return np.sin(2 * np.pi * 440 * 2 ** ((pitch - 9) / 12) * TIME_S).astype(np.float32)


def share(chroma, pitch_class: int) -> float:
    mean = chroma[:, 5:15].mean(dim=1)
    return float(mean[pitch_class] / mean.sum())


def test_noise_counts_for_less_than_in_a_plain_chromagram() -> None:
    noise = np.random.default_rng(0).standard_normal(len(TIME_S)).astype(np.float32)
    mixed = tone(4) + noise
    assert share(chromagram_of_peaks(mixed), 4) > share(chromagram(mixed), 4) + 0.1
    assert share(chromagram_of_peaks(tone(4)), 4) > 0.95


@pytest.mark.parametrize("cents", [-45.0, 30.0, 50.0])
def test_pitch_classes_lie_where_the_music_is_tuned(cents: float) -> None:
    # A fifth above A: E lies at 659 Hz, where a bin is 10 cents wide.
    sharp = tone(16 + cents / 100)
    assert share(chromagram_of_peaks(sharp, cents), 4) > 0.9
    assert share(chromagram_of_peaks(sharp, cents + 100), 3) > 0.9


def test_silence_has_no_pitch() -> None:
    assert not chromagram_of_peaks(np.zeros(SAMPLE_RATE, np.float32)).any()
