import numpy as np
import pytest

from mashnet.audio.levels import active_ratio, rms_db


def test_rms_of_known_signals():
    time_s = np.arange(44100) / 44100
    assert rms_db(np.ones((1, 100))) == pytest.approx(0.0)
    assert rms_db(np.sin(2 * np.pi * 100 * time_s)[None]) == pytest.approx(-3.01, abs=0.01)
    assert rms_db(np.zeros((2, 100))) == rms_db(np.zeros((2, 0))) == -120.0


def test_active_ratio_counts_frames_above_the_threshold():
    audio = np.zeros((2, 10 * 4410), np.float32)
    audio[:, : 3 * 4410] = 0.01
    audio[:, 3 * 4410 : 5 * 4410] = 0.0009  # -61 dBFS
    assert active_ratio(audio, 44100) == pytest.approx(0.3)
    assert active_ratio(np.zeros((1, 0)), 44100) == 0.0
    assert active_ratio(np.full((1, 10), 0.5), 44100) == 1.0  # shorter than a frame
