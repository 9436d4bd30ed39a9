import numpy as np
import pytest
import torch

from mashnet.audio.spectrogram import LogMel, to_common_level
from mashnet.data.mixes.frontend import MixFrontend
from mashnet.data.parts import ArrayPart
from mashnet.errors import ConfigError

RATE = 22050


def sine(hz: float, duration_s: float = 2.0, peak: float = 1.0) -> np.ndarray:
    return (peak * np.sin(2 * np.pi * hz * np.arange(round(duration_s * RATE)) / RATE)).astype("f4")


def test_a_full_scale_sine_reads_close_to_one_and_silence_zero() -> None:
    mel = LogMel()
    loud = mel(torch.from_numpy(sine(440.0)))
    assert 0.9 < float(loud.max()) <= 1.0
    assert float(mel(torch.zeros(RATE)).max()) == 0.0


def test_twenty_decibels_are_a_quarter_of_the_range() -> None:
    mel = LogMel()
    loud = mel(torch.from_numpy(sine(440.0, peak=0.5)))[20:60].max(-1).values
    soft = mel(torch.from_numpy(sine(440.0, peak=0.05)))[20:60].max(-1).values
    assert torch.allclose(loud - soft, torch.full_like(loud, 20 / 80), atol=1e-3)


def test_common_level_is_reached_from_any_gain_and_ignores_rests() -> None:
    wave = torch.from_numpy(sine(200.0, peak=0.03))
    with_rest = torch.cat([wave, torch.zeros(len(wave))])
    for gain in (0.01, 1.0, 30.0):
        levelled = to_common_level(with_rest * gain)
        sounding = levelled[: len(wave) - 4410]
        assert 20 * torch.log10(sounding.square().mean().sqrt()) == pytest.approx(-20, abs=0.1)


def test_common_level_leaves_silence_and_the_callers_tensor_alone() -> None:
    silence = torch.zeros(1000)
    assert torch.equal(to_common_level(silence), silence)
    wave = torch.from_numpy(sine(200.0))
    before = wave.clone()
    to_common_level(wave)
    assert torch.equal(wave, before)


def test_level_of_a_part_does_not_matter() -> None:
    frontend = MixFrontend(window_s=1.0)
    quiet, loud = (ArrayPart(sine(300.0, peak=p), RATE) for p in (0.01, 0.5))
    difference = frontend.log_mel_of([quiet]) - frontend.log_mel_of([loud])
    assert float(difference.abs().max()) < 1e-3


def test_windows_cover_everything_and_say_how_far_they_are_filled() -> None:
    frontend = MixFrontend(window_s=1.0)
    size = frontend.window_frames
    mel = torch.rand(2 * size + size // 2, 128)
    windows, filled = frontend.windows_of(mel)
    assert windows.shape == (3, size, 128)
    assert torch.equal(windows.flatten(0, 1)[: len(mel)], mel)
    assert float(windows[2, size // 2 + 1 :].abs().max()) == 0.0
    assert filled.tolist() == pytest.approx([1.0, 1.0, (size // 2) / size])


def test_a_window_too_short_to_judge_is_refused() -> None:
    with pytest.raises(ConfigError, match="eight frames"):
        MixFrontend(window_s=0.01)


def test_settings_decide_the_id() -> None:
    assert MixFrontend(window_s=1.0).frontend_id == MixFrontend(window_s=1.0).frontend_id
    assert MixFrontend(window_s=1.0).frontend_id != MixFrontend(window_s=2.0).frontend_id
