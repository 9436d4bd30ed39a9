import numpy as np
import pyloudnorm
import pytest

from mashnet.audio.loudness import integrated_lufs, step_powers


def music(seconds: float, rate: int, channels: int, seed: int = 0) -> np.ndarray:
    """Return noise whose level moves by 40 dB, with a silence in it."""
    random = np.random.default_rng(seed)
    samples = round(seconds * rate)
    level = 10 ** (-1 - np.abs(np.sin(np.arange(samples) / rate)))
    level[samples // 3 : samples // 2] = 0
    return (random.standard_normal((channels, samples)) * level).astype(np.float32)


@pytest.mark.parametrize("rate", [16000, 44100, 48000])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("seconds", [0.4, 3.0, 25.3])
def test_agrees_with_pyloudnorm(rate: int, channels: int, seconds: float) -> None:
    audio = music(seconds, rate, channels)
    wanted = pyloudnorm.Meter(rate).integrated_loudness(audio.T.astype(np.float64))
    assert integrated_lufs(step_powers(audio, rate)) == pytest.approx(wanted, abs=0.02)


@pytest.mark.parametrize("samples", [0, 100, 44100])
def test_silence_and_next_to_nothing_have_no_loudness(samples: int) -> None:
    assert integrated_lufs(step_powers(np.zeros((2, samples), np.float32), 44100)) == -np.inf
