"""The predictor: sizes by hand, FiLM by hand and as the identity, conditions that count."""

from __future__ import annotations

import pytest
import torch

from mashnet.errors import ConfigError
from mashnet.models.stems.predictor import Predictor

# Six dense layers of 1024, with bias, and the norm.
PLAIN = (768 + 1) * 1024 + 4 * (1024 + 1) * 1024 + (1024 + 1) * 768 + 2 * 768


def small(conditioning="film", seed=0):
    torch.manual_seed(seed)
    return Predictor(width=8, hidden=16, layers=3, conditioning=conditioning, condition_width=5)


def randomised(network):
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return network


@pytest.mark.parametrize(
    ("conditioning", "extra"),
    [
        ("none", 0),
        # A scale and a shift for each of the five hidden layers and for the outcome.
        ("film", (384 + 1) * 2 * (5 * 1024 + 768)),
        ("concat", 384 * 1024),
    ],
)
def test_published_sizes_by_hand(conditioning, extra):
    with torch.device("meta"):
        network = Predictor(conditioning=conditioning)
    assert sum(p.numel() for p in network.parameters()) == PLAIN + extra
    # Stem-JEPA: a class's vector is as wide as a token; with four of them, 6.6 M in all.
    assert PLAIN + 768 * 1024 + 4 * 768 == 6_564_096


def test_film_begins_as_the_identity():
    film, none = small("film"), small("none")
    none.load_state_dict(film.state_dict(), strict=False)
    patches, condition = torch.randn(2, 7, 8), torch.randn(2, 5)
    assert torch.equal(film(patches, condition), none(patches, None))
    assert torch.equal(film(patches, condition), film(patches, -condition))


def test_film_by_hand():
    network = randomised(small("film"))
    patches, condition = torch.randn(2, 7, 8), torch.randn(2, 5)
    for n, k in [(0, 3), (1, 6)]:
        x = patches[n, k]
        for layer in range(3):
            dense, film = network.dense[layer], network.films[layer]
            numbers = film.weight @ condition[n] + film.bias
            half = len(numbers) // 2
            x = (1 + numbers[:half]) * (dense.weight @ x + dense.bias) + numbers[half:]
            if layer < 2:
                x = x.clamp_min(0)
        x = (x - x.mean()) / (x.var(correction=0) + 1e-5).sqrt()
        x = x * network.norm.weight + network.norm.bias
        torch.testing.assert_close(network(patches, condition)[n, k], x, atol=1e-4, rtol=1e-4)


def test_concat_by_hand():
    network = randomised(small("concat"))
    patches, condition = torch.randn(2, 7, 8), torch.randn(2, 5)
    x = torch.cat([patches[1, 4], condition[1]])
    for layer, dense in enumerate(network.dense):
        x = dense(x.clamp_min(0) if layer else x)
    expected = torch.nn.functional.layer_norm(x, (8,), network.norm.weight, network.norm.bias)
    torch.testing.assert_close(network(patches, condition)[1, 4], expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("conditioning", ["film", "concat", "none"])
def test_patches_are_predicted_one_by_one(conditioning):
    network = randomised(small(conditioning))
    patches, condition = torch.randn(2, 7, 8), torch.randn(2, 5)
    together = network(patches, condition)
    assert together.shape == (2, 7, 8)
    torch.testing.assert_close(network(patches[:, 3:4], condition), together[:, 3:4])
    moved = (network(patches, condition + 1) - together).abs().amax()
    assert (moved > 1e-3) == (conditioning != "none")


@pytest.mark.parametrize("conditioning", ["film", "concat", "none"])
def test_gradients_reach_every_weight(conditioning):
    network = small(conditioning)
    (network(torch.randn(2, 7, 8), torch.randn(2, 5)) * torch.randn(8)).sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name


def test_half_precision_runs():
    with torch.autocast("cpu", dtype=torch.bfloat16):
        for conditioning in ("film", "concat", "none"):
            out = small(conditioning)(torch.randn(2, 7, 8), torch.randn(2, 5))
            assert out.isfinite().all()


def test_impossible_settings_are_refused():
    with pytest.raises(ConfigError, match="conditioning 'filn' is not available. Did you mean 'fi"):
        Predictor(conditioning="filn")
    with pytest.raises(ConfigError, match="layers=1 must be at least 2"):
        Predictor(layers=1)
