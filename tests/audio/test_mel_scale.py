"""Both mel scales against librosa's."""

import numpy as np

from mashnet.audio.mel_scale import htk_frequencies, hz_to_mel, mel_to_hz
from mashnet.audio.numba_imports import compiling_alone

with compiling_alone():
    import librosa.core.convert


def test_slaneys_scale_is_that_of_librosa_and_can_be_undone() -> None:
    hertz = np.array([0.0, 20.0, 440.0, 999.9, 1000.0, 1000.1, 6400.0, 22050.0])
    np.testing.assert_allclose(hz_to_mel(hertz), librosa.hz_to_mel(hertz), rtol=1e-12)
    np.testing.assert_allclose(mel_to_hz(hz_to_mel(hertz)), hertz, rtol=1e-12, atol=1e-9)
    mels = np.linspace(0, 60, 301)
    np.testing.assert_allclose(mel_to_hz(mels), librosa.mel_to_hz(mels), rtol=1e-12)
    assert hz_to_mel(6400.0) == 15 + 27  # a factor of 6.4 above the knee, by hand
    assert hz_to_mel(500.0) == 7.5


def test_htks_frequencies_are_those_of_librosa() -> None:
    ours = htk_frequencies(66, 40.0, 7800.0)
    theirs = librosa.mel_frequencies(n_mels=66, fmin=40.0, fmax=7800.0, htk=True)
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)
