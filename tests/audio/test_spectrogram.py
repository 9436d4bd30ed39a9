import numpy as np

from mashnet.audio.spectrogram import log_mel_of_sum
from mashnet.data.mixes.frontend import MixFrontend
from mashnet.data.parts import ArrayPart


def test_the_log_mel_of_a_sum_is_about_that_of_the_summed_waves() -> None:
    frontend = MixFrontend(window_s=0.5)
    waves = [np.random.default_rng(i).standard_normal(44100).astype(np.float32) for i in range(3)]
    parts = [ArrayPart(wave, 22050) for wave in waves]
    real = frontend.log_mel_of(parts)
    summed = log_mel_of_sum([frontend.log_mel_of([part]) for part in parts])
    # Phases meet at random: a few decibels in a single bin, next to nothing on average.
    assert float((real - summed).mean().abs()) * 80 < 0.5
    assert float((real - summed).abs().mean()) * 80 < 4
