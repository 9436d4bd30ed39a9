import numpy as np
import pytest

from mashnet.audio.channels import mono_or_stereo


@pytest.mark.parametrize("channels", [1, 2])
def test_mono_and_stereo_stay(channels):
    audio = np.random.default_rng(0).standard_normal((channels, 100)).astype(np.float32)
    assert mono_or_stereo(audio) is audio


@pytest.mark.parametrize("channels", [3, 4, 5, 6, 7, 8, 16])
def test_more_become_stereo_that_never_exceeds_the_peak(channels):
    audio = np.ones((channels, 10), np.float32)
    stereo = mono_or_stereo(audio)
    assert stereo.shape == (2, 10)
    assert stereo == pytest.approx(np.ones((2, 10)))


def test_five_point_one_keeps_sides_apart_and_drops_the_low_frequency_channel():
    for channel, left, right in [(0, 1, 0), (1, 0, 1), (2, 1, 1), (3, 0, 0), (4, 1, 0), (5, 0, 1)]:
        audio = np.zeros((6, 1), np.float32)
        audio[channel] = 1.0
        assert tuple((mono_or_stereo(audio)[:, 0] > 0).astype(int)) == (left, right)
