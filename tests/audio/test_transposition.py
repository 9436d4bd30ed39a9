import pytest
import torch

from mashnet.audio.spectrogram import LogMel
from mashnet.audio.transposition import MelTransposition
from mashnet.data.mixes.frontend import MixFrontend
from mashnet.errors import ConfigError

SCALE = {"n_mels": 128, "f_min_hz": 30.0, "f_max_hz": 4500.0}


def transposition(most_semitones: float = 6) -> MelTransposition:
    return MelTransposition(sample_rate=22050, **SCALE, most_semitones=most_semitones)


def tone(semitones: float, **scale: float) -> torch.Tensor:
    """Return the log-mel of thirty harmonics of 220 Hz, transposed, (1, frames, mels)."""
    time_s = torch.arange(22050) / 22050
    partials_hz = 220 * 2 ** (semitones / 12) * torch.arange(1, 31)
    wave = torch.sin(2 * torch.pi * partials_hz[:, None] * time_s).sum(0) / 30
    return LogMel(sample_rate=22050, n_fft=4096, **(SCALE | scale))(wave)[None]


@pytest.mark.parametrize("semitones", [-6, -2.5, 0, 1, 3, 6])
def test_a_transposed_log_mel_is_about_that_of_the_transposed_sound(semitones: float) -> None:
    move = transposition()
    wide = {"n_mels": move.wide_mels, "f_max_hz": move.wide_f_max_hz}
    expected = tone(semitones)[0, 5:-5].mean(0)

    def likeness(amount: float) -> float:
        moved = move(tone(0, **wide), torch.tensor([float(amount)]))
        assert moved.shape == tone(0).shape
        return float(torch.corrcoef(torch.stack([moved[0, 5:-5].mean(0), expected]))[0, 1])

    assert likeness(semitones) > 0.9
    for other in (-6, -4, -2, 0, 2, 4, 6):
        if abs(other - semitones) >= 1:
            assert likeness(other) < likeness(semitones) - 0.1
    # Nothing is missing at the top: the harmonics go on beyond the highest band.
    moved = move(tone(0, **wide), torch.tensor([float(semitones)]))[0, 5:-5].mean(0)
    assert moved[-20:].max() > expected[-20:].max() - 0.1


def test_the_widened_bands_begin_with_those_that_are_returned() -> None:
    frontend = MixFrontend(window_s=1.0, n_fft=4096, **SCALE)
    wide = frontend.widened(6)
    assert wide.log_mel.f_max_hz >= 4500 * 2**0.5
    assert wide.frontend_id != frontend.frontend_id
    wave = torch.randn(22050, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        wide.log_mel(wave)[:, :128], frontend.log_mel(wave), atol=0.01, rtol=0
    )


def test_each_window_is_moved_by_its_own_amount() -> None:
    move = transposition(most_semitones=4)
    windows = torch.rand(2, 7, move.wide_mels)
    moved = move(windows, torch.tensor([0.0, 4.0]))
    torch.testing.assert_close(moved[0], windows[0, :, :128], atol=1e-3, rtol=0)
    assert not torch.allclose(moved[1], windows[1, :, :128], atol=0.1)
    assert move.state_dict() == {}  # checkpoints hold the network only


def test_a_scale_that_ends_at_the_sound_s_highest_frequency_is_refused() -> None:
    with pytest.raises(ConfigError, match="7796 at most"):
        MelTransposition(
            sample_rate=22050, n_mels=64, f_min_hz=30.0, f_max_hz=11000.0, most_semitones=6
        )
