"""Contrastive pretraining: the loss by hand, temperature, and how it embeds."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from mashnet.data.parts import ArrayPart, Query
from mashnet.data.stems.frontend import StemFrontend
from mashnet.models.networks import scorer_class_of
from mashnet.models.scorer import EmbeddingScorer
from mashnet.models.stems.contrastive import Contrastive, ContrastiveScorer

NOTHING = torch.zeros(2, 2, dtype=torch.bool)


def small(seed=0):
    torch.manual_seed(seed)
    return Contrastive(width=64, depth=2)


def noise(count, seconds, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return 0.1 * torch.randn(count, round(seconds * 16_000), generator=generator)


def batch(count=3, seconds=2):
    return {
        "context": noise(count, seconds), "target": noise(count, seconds, seed=2),
        "label": ["bass"] * count, "song": torch.arange(count),
    }  # fmt: skip


def test_is_found_by_name():
    assert scorer_class_of("contrastive") is ContrastiveScorer
    assert ContrastiveScorer.network_class is Contrastive


def test_published_size_by_hand():
    with torch.device("meta"):
        network = Contrastive()
    assert sum(p.numel() for p in network.parameters()) == 85_253_376 + 1  # and a temperature


def test_loss_by_hand():
    network = small()
    network.log_scale.data.fill_(math.log(2.0))
    contexts = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    targets = torch.tensor([[0.6, 0.8], [0.0, 1.0]])
    # Twice the cosines: [[1.2, 0], [1.6, 2]].
    forth = math.log(1 + math.exp(0 - 1.2)) + math.log(1 + math.exp(1.6 - 2.0))
    back = math.log(1 + math.exp(1.6 - 1.2)) + math.log(1 + math.exp(0 - 2.0))
    expected = (forth / 2 + back / 2) / 2
    assert network.loss(contexts, targets, NOTHING).item() == pytest.approx(expected, rel=1e-5)


def test_ignored_pairs_and_further_negatives_by_hand():
    network = small()
    network.log_scale.data.fill_(math.log(2.0))
    contexts = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    targets = torch.tensor([[0.6, 0.8], [0.0, 1.0], [-1.0, 0.0]])
    ignore = torch.tensor([[False, False, False], [True, False, False]])
    # Context 0 chooses among 1.2, 0, -2; context 1 among 2 and 0; target 0 has one context left.
    forth = math.log(1 + math.exp(-1.2) + math.exp(-3.2)) + math.log(1 + math.exp(-2.0))
    back = 0.0 + math.log(1 + math.exp(-2.0))
    expected = (forth / 2 + back / 2) / 2
    assert network.loss(contexts, targets, ignore).item() == pytest.approx(expected, rel=1e-5)


def test_temperature_learns_and_stays_in_bounds():
    network = small()
    assert 1 / network.log_scale.exp().item() == pytest.approx(0.07)
    network.log_scale.data.fill_(9.0)
    vectors = torch.nn.functional.normalize(torch.randn(4, 8), dim=1)
    loss = network.loss(vectors, vectors.roll(1, 0), torch.zeros(4, 4, dtype=torch.bool))
    loss.backward()
    assert network.log_scale.item() == pytest.approx(math.log(100))
    assert network.log_scale.grad.item() > 0  # wrong pairs: it can still go down


def test_loss_is_exact_in_half_precision():
    network, generator = small(), torch.Generator().manual_seed(0)
    one, other = torch.randn(2, 8, 64, generator=generator)
    ignore = torch.zeros(8, 8, dtype=torch.bool)
    expected = network.loss(one, other, ignore)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(network.loss(one, other, ignore), expected)


@pytest.mark.parametrize("seconds", [2, 5, 8, 10])
def test_embeddings_are_units_at_any_length(seconds):
    network = small().eval()
    with torch.inference_mode():
        contexts = network.embed_context(noise(2, seconds), ["bass", ""])
        targets = network.embed_target(noise(2, seconds))
    assert contexts.shape == (2, 64)
    torch.testing.assert_close(contexts.norm(dim=1), torch.ones(2))
    assert torch.equal(contexts, targets)  # one encoder, no condition
    tokens = network.encoder(noise(2, seconds))
    torch.testing.assert_close(contexts, torch.nn.functional.normalize(tokens.mean(1), dim=1))


def test_training_step_reaches_every_weight():
    network = small().train()
    contexts, targets = network(batch())
    torch.testing.assert_close(contexts, network.embed_context(batch()["context"], [""] * 3))
    torch.testing.assert_close(targets, network.embed_target(batch()["target"]))
    network.loss(contexts, targets, torch.zeros(3, 3, dtype=torch.bool)).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name


def test_a_few_steps_learn_the_pairs():
    network, data = small().train(), batch(4, 1)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    losses = []
    for _ in range(15):
        optimizer.zero_grad()
        losses.append(network.loss(*network(data), torch.zeros(4, 4, dtype=torch.bool)))
        losses[-1].backward()
        optimizer.step()
    assert losses[-1] < losses[0] / 3


def test_silence_is_finite():
    network = small()
    silence = torch.zeros(2, 32_000)
    contexts, targets = network({**batch(2), "context": silence, "target": silence})
    loss = network.loss(contexts, targets, NOTHING)
    loss.backward()
    assert loss.isfinite()
    assert all(p.grad.isfinite().all() for p in network.parameters())


def test_alone_or_in_a_batch_of_64():
    network, waves = small().eval(), noise(64, 2)
    with torch.inference_mode():
        together = network.embed_target(waves)
        alone = torch.cat([network.embed_target(wave[None]) for wave in waves[:8]])
    torch.testing.assert_close(together[:8], alone, atol=1e-5, rtol=0)


def test_scorer_takes_cosines_over_windows():
    scorer = ContrastiveScorer(small(), StemFrontend(window_s=2.0), name="contrastive")
    assert isinstance(scorer, EmbeddingScorer)
    random = np.random.default_rng(0)
    parts = [
        ArrayPart((0.1 * random.standard_normal(80_000)).astype(np.float32), 16_000)
        for _ in range(3)
    ]
    query = Query({"context": parts[0]}, instrument="bass")
    candidates = [{"target": part} for part in parts]
    scores = scorer.score(query, candidates)
    assert scores.shape == (3,)
    assert scores[0].item() == pytest.approx(1.0, abs=1e-5)  # itself
    alone = [scorer.score(query, [candidate])[0] for candidate in candidates]
    torch.testing.assert_close(torch.stack(alone), scores, atol=1e-5, rtol=0)


def test_recomputing_changes_memory_but_no_gradient():
    gradients = []
    for recompute in (False, True):
        torch.manual_seed(0)
        network = Contrastive(width=64, depth=3, recompute=recompute).train()
        sounds = {side: torch.randn(4, 8000) / 10 for side in ("context", "target")}
        contexts, targets = network({**sounds, "label": ["bass"] * 4})
        network.loss(contexts, targets, torch.zeros(4, 4, dtype=torch.bool)).backward()
        gradients.append([p.grad for p in network.parameters()])
    assert all(one is not None and one.abs().max() > 0 for one in gradients[0][:-1])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-5)
