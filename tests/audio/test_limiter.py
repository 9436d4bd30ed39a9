import numpy as np
import pyloudnorm
import pytest
from scipy.signal import resample_poly

from mashnet.audio.limiter import STEP, limiting_gains, master, true_peaks

RATE = 44100


def drums(seconds: float, channels: int = 2, gain: float = 1.0) -> np.ndarray:
    """Return struck noise over a bass note: high peaks, little loudness."""
    time_s = np.arange(round(seconds * RATE)) / RATE
    noise = np.random.default_rng(0).standard_normal((channels, len(time_s)))
    struck = noise * np.exp(-25 * (time_s % 0.5))
    return (gain * (0.2 * struck + 0.1 * np.sin(2 * np.pi * 220 * time_s))).astype(np.float32)


def oversampled_peak_db(audio: np.ndarray) -> float:
    return 20 * np.log10(np.abs(resample_poly(audio.astype(np.float64), 4, 1, axis=1)).max())


def test_true_peaks_lie_between_samples() -> None:
    # A quarter of the sampling rate, 45 degrees off: samples reach 0.707 of the wave.
    wave = np.sin(np.pi / 2 * np.arange(8000) + np.pi / 4)[None].astype(np.float32)
    peaks = true_peaks(wave)
    assert np.abs(wave).max() == pytest.approx(0.7071, abs=1e-3)
    assert peaks.shape == (8000 // STEP,)
    assert np.median(peaks) == pytest.approx(1.0, abs=0.01)
    assert true_peaks(wave, above=0.9).max() == pytest.approx(0.7071, abs=1e-3)


def test_gains_never_let_a_peak_pass_and_leave_the_rest_alone() -> None:
    peaks = np.random.default_rng(0).uniform(0, 0.5, 4000)
    peaks[[100, 1000, 1001, 2500]] = 2.0, 1.5, 4.0, 0.9
    gains = limiting_gains(peaks, 0.8, RATE)
    assert (peaks * gains <= 0.8 + 1e-9).all()
    # The gain between the middles of two steps, too.
    assert (peaks[1:] * (gains[1:] + gains[:-1]) / 2 <= 0.8 + 1e-9).all()
    assert (np.diff(gains) > -0.35).all()
    assert gains[:90].min() > 1 - 1e-9 and gains[-1] == pytest.approx(1, abs=1e-3)
    assert (limiting_gains(np.full(9, 0.8), 0.8, RATE) == 1).all()


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("gain", [0.01, 1.0, 20.0])
def test_loudness_is_met_and_peaks_stay_below(channels: int, gain: float) -> None:
    audio = drums(6.0, channels, gain)
    result = master(audio, RATE)
    measured = pyloudnorm.Meter(RATE).integrated_loudness(audio.T.astype(np.float64))
    assert measured == pytest.approx(-14, abs=0.2)
    assert result.lufs == pytest.approx(measured, abs=0.02)
    assert oversampled_peak_db(audio) <= -1.0 + 1e-4
    assert result.true_peak_db == pytest.approx(oversampled_peak_db(audio), abs=0.05)
    assert result.reduction_db > 3


def test_stereo_keeps_its_balance() -> None:
    audio = drums(4.0) * np.array([[1.0], [0.25]], np.float32)
    before = np.sqrt((audio**2).mean(axis=1))
    master(audio, RATE)
    after = np.sqrt((audio**2).mean(axis=1))
    assert after[0] / after[1] == pytest.approx(before[0] / before[1], rel=0.02)


def test_clicks_alone_are_not_squashed() -> None:
    audio = np.zeros((1, 3 * RATE), np.float32)
    audio[:, ::11025] = 0.5
    result = master(audio, RATE)
    assert result.lufs < -20
    assert result.reduction_db == pytest.approx(12, abs=0.1)
    assert oversampled_peak_db(audio) <= -1.0 + 1e-4


@pytest.mark.parametrize("samples", [0, 10, RATE])
def test_silence_stays_silence(samples: int) -> None:
    audio = np.zeros((2, samples), np.float32)
    result = master(audio, RATE)
    assert result.lufs == -np.inf and not audio.any()
