"""PHALAR: sizes counted by hand, complex arithmetic, phases, the loss, and how it scores."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch.nn import functional

from mashnet.data.parts import ArrayPart
from mashnet.data.stems.frontend import StemFrontend
from mashnet.models.networks import scorer_class_of
from mashnet.models.stems.phalar import Phalar, PhalarScorer
from mashnet.models.stems.phalar_layers import (
    ComplexDropout,
    ComplexLinear,
    ComplexRmsNorm,
    ModReLU,
    SpectralPooling,
)

RATE = 4000
SMALL = {
    "sample_rate": RATE, "hop_samples": 80, "bins": 18, "bins_per_octave": 6, "f_min_hz": 90.0,
    "width": 4, "depth": 2, "features": 6, "components": 4, "dimensions": 10, "recompute": False,
}  # fmt: skip


def random_network(**sizes):
    """A small network with no parameter at zero, as after training."""
    torch.manual_seed(0)
    network = Phalar(**{**SMALL, **sizes})
    for parameter in network.parameters():
        if parameter.ndim == 1:
            parameter.data += 0.3 * torch.randn_like(parameter)
    torch.nn.init.normal_(network.bilinear.weight)
    return network.eval()


def waves(count, seconds=4.0):
    generator = torch.Generator().manual_seed(1)
    time_s = torch.arange(round(seconds * RATE)) / RATE
    noise = torch.randn(count, len(time_s), generator=generator)
    period_s = 0.3 + 0.2 * torch.rand(count, 1, generator=generator)
    return 0.1 * noise * torch.exp(-8 * (time_s % period_s))


def complex_of(vectors):
    real, imaginary = vectors.chunk(2, 1)
    return torch.complex(real, imaginary)


def test_published_size_by_hand():
    widths = [8, 12, 18, 27, 40, 60]

    def block(c):
        # Scale and shift of the norm, 3 taps with bias, 1 × 1 without, gains; along both axes.
        axis = 2 * c + (3 * c * c + c) + c * c + c
        points = 2 * c + (c * 2 * c + 2 * c) + 2 * c * c + c
        return 2 * axis + points

    blocks = sum(block(a) + 3 * a * b + block(b) for a, b in itertools.pairwise(widths))
    projection = 60 * 96 * 80
    # Complex matrices are two real ones; a scale and a bias for each of 512 features between.
    head = 2 * 640 * 512 + 512 + 512 + 2 * 512 * 512
    assert block(8) == 8 * (2 * (2 + 25 + 8 + 1) + 2 + 18 + 16 + 1)
    assert projection == 460_800
    assert head == 1_180_672
    expected = 8 + blocks + projection + head + 2 * 512 * 512
    network = Phalar()
    assert sum(p.numel() for p in network.parameters()) == expected == 2_293_104
    assert all(name in dict(network.named_parameters()) for name in network.state_dict())


def test_maps_are_halved_and_pooled_at_published_sizes():
    network = Phalar().eval()
    maps = network.entry(network.levels(torch.zeros(1, 5 * 16_000))[:, None])
    frames = [maps.shape[-1]]
    for block in network.blocks:
        maps = block(maps)
        frames.append(maps.shape[-1])
    assert frames == [501, 251, 251, 126, 126, 63, 63, 32, 32, 16, 16]
    assert maps.shape[1:3] == (60, 96)
    assert network.pooling(maps).shape == (1, 2, 640)


def test_an_untrained_block_only_halves():
    # All gains are zero, so a block without its last convolution is the identity.
    network = Phalar(**SMALL).eval()
    maps = torch.randn(2, 6, 18, 30)
    assert torch.equal(network.blocks[1](maps), maps)


def test_untrained_scores_are_ten_times_the_cosine():
    network = Phalar(**SMALL).eval()
    with torch.inference_mode():
        scores = network.embed_context(waves(3), [""] * 3) @ network.embed_target(waves(3)).T
    assert torch.allclose(scores.diagonal(), torch.full((3,), 10.0), atol=0.01)
    assert (scores <= 10).all()
    assert torch.allclose(scores, scores.T, atol=1e-5)


def test_complex_layers_are_complex_arithmetic():
    torch.manual_seed(0)
    layer = ComplexLinear(5, 3)
    z = torch.randn(4, 2, 5)
    matrix = torch.complex(*layer.weight)
    expected = torch.complex(z[:, 0], z[:, 1]) @ matrix.T
    found = layer(z)
    assert torch.allclose(torch.complex(found[:, 0], found[:, 1]), expected, atol=1e-6)
    # The real form of the conjugate transpose is the transpose.
    adjoint = ComplexLinear(3, 5)
    adjoint.weight.data = torch.stack([layer.weight[0].T, -layer.weight[1].T])
    assert torch.equal(adjoint.as_real(), layer.as_real().T)


def test_activation_and_norm_by_hand():
    activation = ModReLU(2)
    activation.bias.data[:] = torch.tensor([-1.0, -6.0])
    # 3 + 4i has magnitude 5: 4/5 of it remains, or nothing.
    z = torch.tensor([[[3.0, 3.0], [4.0, 4.0]]])
    expected = torch.tensor([[[2.4, 0.0], [3.2, 0.0]]])
    assert torch.allclose(activation(z), expected, atol=1e-5)
    norm = ComplexRmsNorm(2)
    norm.weight.data[:] = torch.tensor([1.0, 2.0])
    # Powers 25 and 7: root of their mean 4.
    z = torch.tensor([[[3.0, 7.0**0.5], [4.0, 0.0]]])
    expected = torch.tensor([[[0.75, 7.0**0.5 / 2], [1.0, 0.0]]])
    assert torch.allclose(norm(z), expected, atol=1e-5)


def test_dropout_takes_complex_numbers_whole():
    dropout = ComplexDropout(0.25)
    z = torch.ones(100, 2, 1000)
    torch.manual_seed(0)
    kept = dropout(z)
    assert torch.equal(kept[:, 0], kept[:, 1])
    assert (kept == 0).float().mean().item() == pytest.approx(0.25, abs=0.01)
    assert kept.mean().item() == pytest.approx(1.0, abs=0.01)
    assert torch.equal(dropout.eval()(z), z)


def pooled(series, components, *, centred=True):
    """Pool the one feature of maps (frames,); return its complex components."""
    pooling = SpectralPooling(1, 1, components, centred=centred)
    pooling.projection.weight.data[:] = 1.0
    real, imaginary = pooling(series[None, None, None])[0]
    return torch.complex(real, imaginary)


def test_pooling_by_hand():
    frames = torch.arange(32)
    # Two oscillations in 32 frames; its cosine is real and positive in the second component,
    # which is four times the mean magnitude of the four.
    slow = torch.cos(2 * np.pi * 2 * frames / 32)
    expected = torch.tensor([0, 4, 0, 0]) + 0j
    assert torch.allclose(pooled(slow, 4), expected, atol=1e-4)
    assert torch.allclose(pooled(3 + 5 * slow, 4), expected, atol=1e-4)  # neither mean nor level
    # Three frames later: −3/32 of a turn in the first component, twice that in the second.
    later = pooled(slow.roll(3), 4)
    assert later[1].angle().item() == pytest.approx(-2 * 2 * np.pi * 3 / 32, abs=1e-4)


def test_pooling_gives_short_inputs_silence():
    # 4 components need 11 frames: 5 are missing of 6, 2 before and 3 behind.
    short = torch.tensor([1.0, -2.0, 3.0, 1.0, 0.0, 2.0])
    assert torch.allclose(pooled(short, 4), pooled(functional.pad(short, (2, 3)), 4))
    behind = pooled(functional.pad(short, (0, 5)), 4)
    assert torch.allclose(pooled(short, 4, centred=False), behind)
    assert not torch.allclose(pooled(short, 4), behind)


def test_scores_are_the_complex_bilinear_form():
    one, other = waves(8).chunk(2)
    for hermitian in (True, False):
        network = random_network(hermitian=hermitian)
        with torch.inference_mode():
            x, y = (complex_of(network.encode(side)) for side in (one, other))
            assert torch.allclose(x.abs().square().sum(1), torch.ones(4), atol=1e-3)
            w = torch.complex(*network.bilinear.weight)
            scores = network.embed_context(one, [""] * 4) @ network.embed_target(other).T
            swapped = network.embed_context(other, [""] * 4) @ network.embed_target(one).T
        matrix = (w + w.mH) / 2 if hermitian else w.mH
        expected = (x.conj() @ matrix @ y.T).real  # Re(xᴴ W y); published code has W on x
        assert torch.allclose(scores, expected, atol=1e-6)
        assert torch.allclose(scores, swapped.T, atol=1e-6) == hermitian
        assert expected.std() > 1e-3


def test_forward_without_training_is_both_embeddings():
    network = random_network()
    batch = {"context": waves(6)[:3], "target": waves(6)[3:], "label": [""] * 3}
    with torch.inference_mode():
        contexts, targets = network(batch)
        assert torch.allclose(contexts, network.embed_context(batch["context"], []), atol=1e-5)
        assert torch.allclose(targets, network.embed_target(batch["target"]), atol=1e-5)


def test_vectors_do_not_depend_on_the_batch():
    network = random_network()
    sounds = waves(64)
    with torch.inference_mode():
        together = network.embed_context(sounds, [])
        for i in (0, 17, 63):
            alone = network.embed_context(sounds[i : i + 1], [])
            assert torch.allclose(alone[0], together[i], atol=1e-5)


@pytest.mark.parametrize("seconds", [2.0, 3.3, 10.0])
def test_chunks_of_many_lengths_are_heard(seconds):
    network = random_network()
    with torch.inference_mode():
        vectors = network.encode(waves(2, seconds))
    assert torch.allclose(vectors.norm(dim=1), torch.ones(2), atol=1e-3)
    assert (vectors[0] - vectors[1]).norm() > 0.01


def test_silence_is_finite_and_has_gradients():
    network = random_network().train()
    sounds = waves(2)
    sounds[0] = 0
    vectors = network.encode(sounds)
    assert torch.isfinite(vectors).all()
    vectors.square().sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in network.blocks.parameters())


def naive_loss(similarities, ignore, share):
    total = 0.0
    for i, row in enumerate(similarities.tolist()):
        others = [j for j in range(len(row)) if j != i and not ignore[i][j]]
        norm = sum(np.exp(row[j]) for j in [i, *others])
        log_chance = {j: row[j] - np.log(norm) for j in [i, *others]}
        weight = share if others else 1.0
        total -= weight * log_chance[i]
        total -= sum((1 - weight) / len(others) * log_chance[j] for j in others)
    return total / len(similarities)


def test_loss_against_a_loop():
    torch.manual_seed(0)
    network = Phalar(**SMALL, partner_share=0.8)
    contexts, targets = torch.randn(3, 4, requires_grad=True), torch.randn(5, 4)
    ignore = torch.zeros(3, 5, dtype=torch.bool)
    ignore[0, 2] = ignore[0, 4] = True
    ignore[1] = True  # nothing to compare with: not even its own entry may drop out
    loss = network.loss(contexts, targets, ignore)
    expected = naive_loss(contexts.detach() @ targets.T, ignore.tolist(), 0.8)
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    loss.backward()
    assert torch.isfinite(contexts.grad).all()
    assert (contexts.grad[0] != 0).any()
    assert (contexts.grad[1] == 0).all()


def test_loss_without_ignored_pairs_is_the_published_one():
    # The published program hands torch B · 0.1 / (B − 1) as its smoothing.
    similarities = torch.randn(6, 6)
    published = functional.cross_entropy(
        similarities, torch.arange(6), label_smoothing=6 * (1 - 0.9) / 5
    )
    none = torch.zeros(6, 6, dtype=torch.bool)
    found = Phalar(**SMALL).loss(similarities, torch.eye(6), none)
    assert found.item() == pytest.approx(published.item(), rel=1e-5)


def test_training_leaves_the_batch_alone_and_short_chunks_whole():
    network = random_network().train()
    sound = waves(4, 1.0)
    batch = {"context": sound[:2], "target": sound[2:]}
    before = sound.clone()
    contexts, targets = network(batch)
    assert contexts.shape == targets.shape == (2, 20)
    assert torch.equal(sound, before)


def test_half_precision_spares_vectors_and_scores():
    network = random_network().train()
    batch = {"context": waves(3), "target": waves(3)}
    with torch.autocast("cpu", torch.bfloat16):
        contexts, targets = network(batch)
        loss = network.loss(contexts, targets, torch.zeros(3, 3, dtype=torch.bool))
    assert contexts.dtype == targets.dtype == loss.dtype == torch.float32
    loss.backward()
    assert torch.isfinite(network.entry.weight.grad).all()


def test_recomputing_changes_memory_but_no_gradient():
    gradients = []
    for recompute in (False, True):
        network = random_network(recompute=recompute).train()
        torch.manual_seed(3)  # the same dropout
        network.encode(waves(2)).sum().backward()
        gradients.append([p.grad for p in network.parameters() if p.grad is not None])
    assert len(gradients[0]) == len(gradients[1]) > 40
    for one, other in zip(*gradients, strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def struck(hz, phase_s, seconds, seed):
    """Something struck every two seconds, from `phase_s` on."""
    time_s = torch.arange(round(seconds * RATE)) / RATE
    wave = torch.sin(2 * np.pi * hz * time_s) * torch.exp(-10 * ((time_s - phase_s) % 2.0))
    generator = torch.Generator().manual_seed(seed)
    return 0.3 * wave + 0.003 * torch.randn(len(time_s), generator=generator)


def test_it_learns_to_hear_what_happens_at_the_same_time():
    """Pairs have nothing in common but the time of their strokes."""

    def pairs(seed):
        phases_s = torch.arange(8) * 0.25 + 0.1
        pitches = np.random.default_rng(seed).uniform(150, 600, 16)
        return {
            "context": torch.stack(
                [struck(pitches[i], phases_s[i], 4, seed * 99 + i) for i in range(8)]
            ),
            "target": torch.stack(
                [struck(pitches[8 + i], phases_s[i], 4, seed * 99 + 50 + i) for i in range(8)]
            ),
        }

    torch.manual_seed(0)
    network = Phalar(**{**SMALL, "dimensions": 32}, dropout=0.0)
    optimizer = torch.optim.Adam(network.parameters(), lr=4e-3)
    none = torch.zeros(8, 8, dtype=torch.bool)
    for step in range(50):
        loss = network.loss(*network(pairs(step)), none)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    network.eval()
    right = 0
    with torch.inference_mode():
        for seed in range(1000, 1005):
            contexts, targets = network(pairs(seed))
            right += int(((contexts @ targets.T).argmax(1) == torch.arange(8)).sum())
    assert right >= 32  # of 40; 5 by chance


def test_the_scorer_is_found_and_compares_windows_where_they_meet():
    assert scorer_class_of("phalar") is PhalarScorer
    assert PhalarScorer.network_class is Phalar
    network = random_network(hermitian=False)
    scorer = PhalarScorer(network, StemFrontend(sample_rate=RATE, window_s=2.0), name="small")
    sounds = waves(3, 4.0)
    groups = [{"stem": ArrayPart(sound.numpy(), RATE)} for sound in sounds]
    with torch.inference_mode():
        halves = sounds.unflatten(1, (2, -1))
        per_window = [
            network.embed_context(halves[:1, i], [""]) @ network.embed_target(halves[:, i]).T
            for i in range(2)
        ]
    expected = (per_window[0] + per_window[1])[0] / 2
    assert torch.allclose(scorer.score(groups[0], groups), expected, atol=1e-5)
    alone = torch.cat([scorer.score(groups[0], [group]) for group in groups])
    assert torch.allclose(alone, expected, atol=1e-5)


def test_a_stem_that_ends_early_is_compared_with_a_mix_that_goes_on():
    """Silence at a file's end is no different from the file's end."""
    scorer = PhalarScorer(
        random_network(), StemFrontend(sample_rate=RATE, window_s=4.0), name="small"
    )
    mix, stem = (wave.numpy() for wave in waves(2))
    early = stem[: round(2.6 * RATE)]
    silent_end = np.pad(early, (0, round(1.4 * RATE)))
    groups = [{"target": ArrayPart(sound, RATE)} for sound in (early, silent_end)]
    ends, padded = scorer.score({"context": ArrayPart(mix, RATE)}, groups).tolist()
    assert ends == pytest.approx(padded, abs=1e-5)
