import numpy as np
import pytest
import torch

from mashnet.audio.spectrogram import LogMel, log_mel_of_sum
from mashnet.audio.transposition import MelTransposition
from mashnet.data.frontend import MixFrontend
from mashnet.data.parts import ArrayPart

SCALE = {"n_mels": 128, "f_min_hz": 30.0, "f_max_hz": 11000.0}


def test_the_log_mel_of_a_sum_is_about_that_of_the_summed_waves() -> None:
    frontend = MixFrontend(window_s=0.5)
    waves = [np.random.default_rng(i).standard_normal(44100).astype(np.float32) for i in range(3)]
    parts = [ArrayPart(wave, 22050) for wave in waves]
    real = frontend.log_mel_of(parts)
    summed = log_mel_of_sum([frontend.log_mel_of([part]) for part in parts])
    # Phases meet at random: a few decibels in a single bin, next to nothing on average.
    assert float((real - summed).mean().abs()) * 80 < 0.5
    assert float((real - summed).abs().mean()) * 80 < 4


def tone(semitones: float) -> torch.Tensor:
    """Return the log-mel of eight harmonics of 220 Hz, transposed, (1, frames, 128)."""
    time_s = torch.arange(22050) / 22050
    partials_hz = 220 * 2 ** (semitones / 12) * torch.arange(1, 9)
    wave = torch.sin(2 * torch.pi * partials_hz[:, None] * time_s).sum(0) / 20
    return LogMel(sample_rate=22050)(wave)[None]


@pytest.mark.parametrize("semitones", [-6, -2.5, 1, 3, 6])
def test_a_transposed_log_mel_is_about_that_of_the_transposed_sound(semitones: float) -> None:
    transposition = MelTransposition(**SCALE)
    everything = torch.tensor([11000.0])
    moved = transposition(tone(0), torch.tensor([float(semitones)]), everything)
    wrong = transposition(tone(0), torch.tensor([-float(semitones)]), everything)
    expected = tone(semitones)

    def likeness(guess: torch.Tensor) -> float:
        spectra = torch.stack([guess[0, 5:-5].mean(0), expected[0, 5:-5].mean(0)])
        return float(torch.corrcoef(spectra)[0, 1])

    assert likeness(moved) > 0.9
    assert likeness(wrong) < 0.75
    assert likeness(tone(0)) < 0.8


def test_each_window_is_moved_by_its_own_amount_and_cut_off_at_its_own_top() -> None:
    transposition = MelTransposition(**SCALE)
    windows = torch.rand(3, 7, 128)
    moved = transposition(
        windows, torch.tensor([0.0, 4.0, 0.0]), torch.tensor([11000.0, 11000.0, 1000.0])
    )
    torch.testing.assert_close(moved[0], windows[0], atol=1e-4, rtol=0)
    assert not torch.allclose(moved[1], windows[1], atol=0.1)
    low = transposition.centres_hz <= 1000
    torch.testing.assert_close(moved[2][:, low], windows[2][:, low], atol=1e-4, rtol=0)
    assert not moved[2][:, ~low].any()
    assert transposition.state_dict() == {}  # checkpoints hold the network only
