"""The ViT encoder: sizes by hand, positions by hand, silence, padding, batches."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from mashnet.audio.numba_imports import compiling_alone
from mashnet.errors import ConfigError
from mashnet.models.stems.vit import MelPatches, Vit, by_time, positions

with compiling_alone():
    import librosa.feature.spectral
    import librosa.util.utils


SILENCE = (math.log(torch.finfo(torch.float32).eps) + 9.453) / 3.569


def small(seed=0):
    torch.manual_seed(seed)
    return Vit(width=64, depth=2).eval()


def noise(count, seconds, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return 0.1 * torch.randn(count, round(seconds * 16_000), generator=generator)


def test_published_size_by_hand():
    # A 16 × 16 patch into 768, with bias.
    embed = (256 + 1) * 768
    # Two norms; attention of 768 into three times 768 and back; dense layers of 3072 and back.
    block = 2 * 2 * 768 + (768 + 1) * 3 * 768 + (768 + 1) * 768
    block += (768 + 1) * 3072 + (3072 + 1) * 768
    by_hand = embed + 12 * block + 2 * 768
    assert by_hand == 85_253_376
    with torch.device("meta"):
        count = sum(p.numel() for p in Vit().parameters())
    assert count == by_hand
    # Stem-JEPA counts its table of 5 × 50 positions as well: 85.4 M.
    assert count + 250 * 768 == 85_445_376


def test_state_holds_weights_only():
    network = small()
    assert set(network.state_dict()) == {name for name, _ in network.named_parameters()}


@pytest.mark.parametrize(("seconds", "moments"), [(2, 13), (5, 32), (8, 50), (10, 63), (0.05, 1)])
def test_shapes_at_any_length(seconds, moments):
    with torch.inference_mode():
        waves = noise(2, seconds)
        assert small()(waves).shape == (2, 5 * moments, 64)
        assert small().tokens(waves).shape == (2, moments, 5 * 64)
    assert Vit.token_s == 0.16
    # Sixteen frames of 10 ms; the last token may reach beyond the end by less than its length.
    assert 0 <= moments * Vit.token_s - seconds < 0.16


def test_mels_equal_librosas():
    wave = noise(1, 1.6) + 0.3 * torch.sin(torch.arange(25_600) * 0.2)
    mel = librosa.feature.melspectrogram(
        y=wave[0].numpy(), sr=16_000, n_fft=400, hop_length=160, n_mels=80, fmin=50, fmax=8000,
        pad_mode="reflect",
    )[:, :160]  # fmt: skip
    expected = (np.log(mel + np.finfo(np.float32).eps) + 9.453) / 3.569
    patches = MelPatches()(wave)
    assert patches.shape == (1, 5, 10, 256)
    for band in range(5):
        for moment in range(10):
            cut = expected[16 * band : 16 * band + 16, 16 * moment : 16 * moment + 16]
            got = patches[0, band, moment].reshape(16, 16)
            np.testing.assert_allclose(got, cut, atol=2e-4)


def test_silence_and_padding_are_silence_after_normalisation():
    patches = MelPatches()
    torch.testing.assert_close(
        patches(torch.zeros(1, 32_000)), torch.full((1, 5, 13, 256), SILENCE), atol=1e-5, rtol=0
    )
    # 2 s of sound end within the thirteenth patch; the rest of it is filled up.
    filled = patches(noise(1, 2.0))[0, :, -1].unflatten(-1, (16, 16))
    torch.testing.assert_close(filled[..., 10:], torch.full((5, 16, 6), SILENCE), atol=1e-5, rtol=0)
    assert (filled[..., :8] > SILENCE + 0.5).all()
    explicit = torch.cat([noise(1, 2.0), torch.zeros(1, 1280)], dim=1)
    assert torch.equal(patches(explicit), patches(noise(1, 2.0)))


def test_silence_gives_finite_tokens_and_gradients():
    network = small().train()
    tokens = network(torch.zeros(2, 32_000))
    assert tokens.isfinite().all()
    tokens.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


def test_gradients_reach_every_weight():
    network = small().train()
    (network(noise(2, 2.0)) * torch.randn(64)).sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name


def test_alone_or_in_a_batch_of_64():
    network, waves = small(), noise(64, 2.0)
    with torch.inference_mode():
        together = network(waves)
        alone = torch.cat([network(wave[None]) for wave in waves[:8]])
    torch.testing.assert_close(together[:8], alone, atol=1e-5, rtol=0)


def test_positions_by_hand():
    table = positions(3, 8)
    assert table.shape == (5, 3, 8)
    # Quarters of two: rates 1 and 10000^(-1/2) = 0.01.
    moment, band = 2, 4
    expected = [
        *(math.sin(moment), math.sin(0.01 * moment), math.cos(moment), math.cos(0.01 * moment)),
        *(math.sin(band), math.sin(0.01 * band), math.cos(band), math.cos(0.01 * band)),
    ]
    torch.testing.assert_close(table[band, moment], torch.tensor(expected))
    # More time adds positions and moves none.
    torch.testing.assert_close(positions(63, 64)[:, :50], positions(50, 64))
    assert positions(63, 64).flatten(0, 1).unique(dim=0).shape[0] == 5 * 63


def test_tokens_are_frequency_major_and_tell_the_time():
    """Without attention a token hears its own patch only: a click moves one column of them."""
    network = small()
    for block in network.blocks:
        torch.nn.init.zeros_(block.attention_out.weight)
    wave = torch.zeros(1, 32_000)
    wave[0, 5 * 2560 + 1280] = 1.0  # amid the sixth moment
    with torch.inference_mode():
        moved = (network(wave) - network(torch.zeros(1, 32_000))).abs().amax(-1)[0]
        by_moment = (network.tokens(wave) - network.tokens(torch.zeros(1, 32_000))).abs()[0]
    assert (moved.view(5, 13) > 1e-3).all(0).nonzero().flatten().tolist() == [5]
    assert (moved.view(5, 13) > 1e-3).any(0).nonzero().flatten().tolist() == [5]
    assert (by_moment.amax(-1) > 1e-3).nonzero().flatten().tolist() == [5]


def test_order_of_time_by_hand():
    tokens = torch.arange(2 * 10 * 1).view(2, 10, 1)  # 5 bands × 2 moments
    assert by_time(tokens)[0].tolist() == [[0, 2, 4, 6, 8], [1, 3, 5, 7, 9]]


def test_compiles_without_a_break_for_several_lengths():
    network = small()
    compiled = torch.compile(network, backend="eager", fullgraph=True)
    with torch.inference_mode():
        for seconds in (1, 2):
            torch.testing.assert_close(compiled(noise(2, seconds)), network(noise(2, seconds)))


def test_half_precision_keeps_the_spectrogram_in_full():
    with torch.autocast("cpu", dtype=torch.bfloat16):
        patches = MelPatches()(noise(1, 2.0))
    assert torch.equal(patches, MelPatches()(noise(1, 2.0)))


@pytest.mark.parametrize("sizes", [{"width": 96}, {"width": 0}, {"depth": 0}])
def test_impossible_sizes_are_refused(sizes):
    with pytest.raises(ConfigError, match="must be"):
        Vit(**sizes)
