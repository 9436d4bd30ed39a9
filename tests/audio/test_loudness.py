import numpy as np
import pyloudnorm
import pytest

from mashnet.audio.loudness import integrated_lufs, loudness_range_lu, step_powers


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


@pytest.mark.parametrize(
    ("levels_db", "wanted_lu"),
    [((-20, -30), 10), ((-20, -15), 5), ((-40, -20), 20), ((-50, -35, -20, -35, -50), 15)],
)
def test_loudness_range_of_the_ebus_own_signals(
    levels_db: tuple[float, ...], wanted_lu: float
) -> None:
    # EBU Tech 3342, minimum requirements 1 to 4: 20 s of 1 kHz at each level, in both channels.
    time_s = np.arange(20 * 48000) / 48000
    tone = np.sin(2 * np.pi * 1000 * time_s)
    wave = np.concatenate([10 ** (level / 20) * tone for level in levels_db])
    powers = step_powers(np.stack([wave, wave]).astype(np.float32), 48000)
    assert loudness_range_lu(powers) == pytest.approx(wanted_lu, abs=0.1)  # 1 LU is allowed


def test_loudness_range_agrees_with_pyloudnorm() -> None:
    audio = music(60.0, 44100, 2)
    # Its windows overlap by 97 %, not by 2.9 s, and it adds 1.5 s of silence.
    wanted = pyloudnorm.Meter(44100).loudness_range(audio.T.astype(np.float64))
    assert loudness_range_lu(step_powers(audio, 44100)) == pytest.approx(wanted, abs=0.5)


@pytest.mark.parametrize("samples", [0, 100, 44100, 10 * 44100])
def test_silence_and_next_to_nothing_have_no_loudness_range(samples: int) -> None:
    assert np.isnan(loudness_range_lu(step_powers(np.zeros((2, samples), np.float32), 44100)))
