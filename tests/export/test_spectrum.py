"""Power spectra as products of small matrices: equal to torch's, whatever the sizes."""

import pytest
import torch

from mashnet.audio.hpss import HarmonicPercussiveMel, sliding_median
from mashnet.audio.spectrogram import LogMel
from mashnet.export.spectrum import PowerSpectrum
from mashnet.export.traceable import traceable_log_mel, traceable_network
from mashnet.models.stems.vit import MelPatches


def noise(*shape: int) -> torch.Tensor:
    return 0.1 * torch.randn(*shape, generator=torch.manual_seed(0))


@pytest.mark.parametrize(
    ("n_fft", "length", "hop", "pad_mode"),
    [
        (512, 512, 160, "reflect"),  # the hop does not divide the frame
        (2048, 2048, 512, "reflect"),
        (400, 400, 160, "reflect"),  # no power of two
        (1024, 400, 160, "constant"),  # a window in the middle of its frame
        (30, 30, 7, "constant"),  # 5 · 6
        (31, 31, 7, "constant"),  # a prime number: one plain product
    ],
)
@pytest.mark.parametrize("samples", [1500, 1601])
def test_it_is_torchs_spectrum(
    n_fft: int, length: int, hop: int, pad_mode: str, samples: int
) -> None:
    window = torch.hann_window(length, dtype=torch.float64) + 0.1
    waves = noise(3, samples).double()
    expected = torch.stft(waves, n_fft, hop, length, window, pad_mode=pad_mode, return_complex=True)
    spectrum = PowerSpectrum(
        window, n_fft=n_fft, hop_length=hop, pad_mode=pad_mode, dtype=torch.float64
    )
    power = spectrum(waves)[..., spectrum.order]
    torch.testing.assert_close(power, expected.abs().square().transpose(1, 2))


def test_a_sum_over_bins_takes_its_weights_in_the_spectrums_order() -> None:
    window, weights = torch.hann_window(512), torch.rand(257, 5)
    weights[101:] = 0
    whole = PowerSpectrum(window, n_fft=512, hop_length=128, pad_mode="reflect")
    cut = PowerSpectrum(window, n_fft=512, hop_length=128, pad_mode="reflect", last_bin=100)
    waves = noise(2, 2000)
    expected = whole(waves)[..., whole.order] @ weights
    torch.testing.assert_close(cut(waves) @ cut.in_own_order(weights), expected)
    assert cut.second.shape[1] < whole.second.shape[1]  # what nothing needs is not computed


def test_log_mels_stay_what_they_are() -> None:
    log_mel = LogMel(sample_rate=22050, n_fft=4096, f_max_hz=4500.0)
    waves = noise(2, 20000)
    torch.testing.assert_close(traceable_log_mel(log_mel)(waves), log_mel(waves), atol=1e-6, rtol=0)


class Both(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patches = MelPatches()
        self.mel = HarmonicPercussiveMel(n_fft=512, hop_length=320, kernel=7)


def test_spectrograms_inside_networks_stay_what_they_are() -> None:
    network = Both()
    copied = traceable_network(network)
    waves = noise(2, 16000)
    waves[1] *= 1e-3
    torch.testing.assert_close(copied.patches(waves), network.patches(waves), atol=1e-4, rtol=0)
    torch.testing.assert_close(copied.mel.power(waves), network.mel.power(waves))
    assert type(network.patches) is MelPatches  # the network itself is as it was


@pytest.mark.parametrize("length", [3, 40, 41])
def test_a_median_in_one_piece_is_the_median_in_blocks(length: int) -> None:
    x = noise(2, length, 5)
    assert torch.equal(sliding_median(x, 7, 1, in_blocks=False), sliding_median(x, 7, 1))
