"""Jepa: the loss and the moving average by hand, conditions, phase 1, and how it embeds."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mashnet.data.parts import ArrayPart, Query
from mashnet.data.stems.frontend import StemFrontend
from mashnet.errors import CheckpointError, ConfigError
from mashnet.models.networks import scorer_class_of
from mashnet.models.scorer import EmbeddingScorer
from mashnet.models.stems.contrastive import Contrastive
from mashnet.models.stems.jepa import Jepa, JepaScorer

SIZES = {"width": 64, "depth": 2, "hidden": 32, "layers": 3}


def small(seed=0, **settings):
    torch.manual_seed(seed)
    return Jepa(**{**SIZES, **settings})


def asking(**settings):
    """One whose FiLM has learned something."""
    network = small(**settings)
    for parameter in network.predictor.films.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return network.eval()


def noise(count, seconds, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return 0.1 * torch.randn(count, round(seconds * 16_000), generator=generator)


def batch(count=2, seconds=2):
    return {
        "context": noise(count, seconds), "target": noise(count, seconds, seed=2),
        "label": ["electric bass", "music", "kick drum", "vocals"][:count],
        "song": torch.arange(count),
    }  # fmt: skip


def test_is_found_by_name():
    assert scorer_class_of("jepa") is JepaScorer
    assert JepaScorer.network_class is Jepa


def test_published_sizes_by_hand():
    with torch.device("meta"):
        network = Jepa()
    encoder = 85_253_376
    predictor = (768 + 1) * 1024 + 4 * (1024 + 1) * 1024 + (1024 + 1) * 768 + 2 * 768
    films = (384 + 1) * 2 * (5 * 1024 + 768)
    trained = sum(p.numel() for p in network.parameters() if p.requires_grad)
    assert trained == encoder + predictor + films
    assert sum(p.numel() for p in network.parameters()) == 2 * encoder + predictor + films


def test_text_encoders_are_no_part_of_the_state():
    names = {name.split(".")[0] for name in small().state_dict()}
    assert names == {"encoder", "target_encoder", "predictor"}


def test_loss_by_hand():
    # The wanted patch (3, 1) without its mean 2 is (1, -1); predictions are not centred.
    wanted = torch.tensor([[[3.0, 1.0], [3.0, 1.0]]])
    predicted = torch.tensor([[[2.0, -2.0], [0.0, 5.0]]])
    # Unit vectors (1, -1)/√2 and itself: 0. And (0, 1): cosine -1/√2.
    expected = (0 + 2 + 2 / 2**0.5) / 2
    assert Jepa.loss(predicted, wanted).item() == pytest.approx(expected)


def test_loss_is_that_of_standardised_targets():
    generator = torch.Generator().manual_seed(0)
    predicted, wanted = torch.randn(2, 3, 10, 16, generator=generator)
    standard = (wanted - wanted.mean(-1, keepdim=True)) / wanted.std(-1, keepdim=True)
    unit, other = (torch.nn.functional.normalize(x, dim=-1) for x in (predicted, standard))
    expected = (unit - other).square().sum(-1).mean()
    torch.testing.assert_close(Jepa.loss(predicted, wanted), expected)


@pytest.mark.parametrize("seconds", [2, 5, 8, 10])
def test_shapes_at_any_length(seconds):
    network = small().eval()
    tokens = 5 * -(-seconds * 16_000 // 2560)
    with torch.inference_mode():
        predicted, wanted = network(batch(2, seconds))
        contexts = network.embed_context(noise(2, seconds), ["bass", ""])
        targets = network.embed_target(noise(2, seconds))
    assert predicted.shape == wanted.shape == (2, tokens, 64)
    for vectors in (contexts, targets):
        assert vectors.shape == (2, 64)
        torch.testing.assert_close(vectors.norm(dim=1), torch.ones(2))


def test_embeddings_are_means_over_patches_without_their_mean():
    network = asking()
    patches = network.target_encoder(noise(2, 2)).mean(1)
    expected = torch.nn.functional.layer_norm(patches, (64,))  # as the published evaluation
    expected = torch.nn.functional.normalize(expected, dim=-1)
    torch.testing.assert_close(network.embed_target(noise(2, 2)), expected, atol=1e-5, rtol=1e-4)
    predicted, _ = network({**batch(), "context": noise(2, 2)})
    expected = torch.nn.functional.layer_norm(predicted.mean(1), (64,))
    expected = torch.nn.functional.normalize(expected, dim=-1)
    contexts = network.embed_context(noise(2, 2), batch()["label"])
    torch.testing.assert_close(contexts, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("conditioning", ["film", "concat", "none"])
def test_gradients_reach_what_is_trained_and_nothing_else(conditioning):
    network = small(conditioning=conditioning).train()
    network.loss(*network(batch())).backward()
    for name, parameter in network.named_parameters():
        if name.startswith("target_encoder."):
            assert parameter.grad is None and not parameter.requires_grad, name
        else:
            assert parameter.grad is not None and parameter.grad.abs().max() > 0, name


def test_target_encoder_begins_as_a_copy():
    network = small()
    both = zip(network.encoder.parameters(), network.target_encoder.parameters(), strict=True)
    for one, other in both:
        assert torch.equal(one, other) and one.data_ptr() != other.data_ptr()


def test_published_schedule_by_hand():
    network = small()
    assert network.ema_rate(0, 300_000) == 0.99995
    assert network.ema_rate(75_000, 300_000) == pytest.approx(0.99996)
    assert network.ema_rate(150_000, 300_000) == pytest.approx(0.99997)
    assert network.ema_rate(300_000, 300_000) == pytest.approx(0.99999)
    assert network.ema_rate(300_001, 300_000) == network.ema_rate(300_000, 300_000)


def test_moving_average_by_hand():
    network = small(ema=(0.5, 1.0))
    with torch.no_grad():
        for parameter in network.encoder.parameters():
            parameter.fill_(8.0)
        for parameter in network.target_encoder.parameters():
            parameter.fill_(0.0)
    for step, expected in [(0, 4.0), (1, 5.0), (2, 5.0)]:  # rates 0.5, 0.75 and 1
        network.update_target(step, 2)
        for name, parameter in network.target_encoder.named_parameters():
            assert (parameter == expected).all(), (name, step)
    assert all((p == 8).all() for p in network.encoder.parameters())
    assert not any(p.requires_grad for p in network.target_encoder.parameters())


def test_the_published_rates_move_the_last_digits():
    network = small()
    before = network.target_encoder.embed.weight.clone()
    with torch.no_grad():
        network.encoder.embed.weight += 1.0
    network.update_target(0, 100)
    moved = network.target_encoder.embed.weight - before
    torch.testing.assert_close(moved, torch.full_like(moved, 5e-5), atol=1e-7, rtol=0)


def test_what_is_looked_for_counts_and_nothing_said_is_music():
    network = asking()
    waves = noise(1, 2).expand(4, -1)
    with torch.inference_mode():
        bass, drum, nothing, music = network.embed_context(
            waves, ["electric bass", "kick drum", "", "music"]
        )
    assert (bass - drum).abs().max() > 1e-3
    assert torch.equal(nothing, music)
    with pytest.raises(ConfigError, match="instrument text is empty"):
        network.embed_context(waves[:1], [" "])


def test_without_a_condition_texts_are_not_read():
    network = small(conditioning="none")
    waves = noise(1, 2)
    assert torch.equal(
        network.embed_context(waves, ["bass"]), network.embed_context(waves, ["kick drum"])
    )
    assert network.conditions(["bass"]) is None


def test_training_after_validation_in_inference_mode():
    network = small()
    with torch.inference_mode():
        network.embed_context(noise(2, 2), batch()["label"])
    network.loss(*network(batch())).backward()
    assert network.predictor.films[0].weight.grad.abs().max() > 0


def test_a_few_steps_learn():
    network, data = small(ema=(0.9, 0.99)).train(), batch(4, 1)
    trained = [p for p in network.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-3)
    losses = []
    for step in range(15):
        optimizer.zero_grad()
        losses.append(network.loss(*network(data)))
        losses[-1].backward()
        optimizer.step()
        network.update_target(step, 15)
    assert losses[-1] < 0.6 * losses[0]


def test_silence_is_finite():
    network, silence = small(), torch.zeros(2, 32_000)
    loss = network.loss(*network({**batch(), "context": silence, "target": silence}))
    loss.backward()
    assert loss.isfinite()
    for parameter in network.parameters():
        assert parameter.grad is None or parameter.grad.isfinite().all()
    assert network.embed_target(silence).isfinite().all()


def test_alone_or_in_a_batch_of_64():
    network, waves = asking(), noise(64, 2)
    texts = [f"instrument {i % 7}" for i in range(64)]
    with torch.inference_mode():
        contexts = network.embed_context(waves, texts)
        targets = network.embed_target(waves)
        for i in range(8):
            alone = network.embed_context(waves[i : i + 1], texts[i : i + 1])
            torch.testing.assert_close(contexts[i : i + 1], alone, atol=1e-5, rtol=0)
            alone = network.embed_target(waves[i : i + 1])
            torch.testing.assert_close(targets[i : i + 1], alone, atol=1e-5, rtol=0)


def test_phase_1_fills_both_encoders():
    torch.manual_seed(7)
    first = Contrastive(width=64, depth=2)
    network = small()
    network.load_encoder(first.state_dict())
    waves = noise(1, 2)
    with torch.inference_mode():
        assert torch.equal(network.encoder(waves), first.encoder(waves))
        assert torch.equal(network.target_encoder(waves), first.encoder(waves))
    assert not any(p.requires_grad for p in network.target_encoder.parameters())
    assert all(p.requires_grad for p in network.encoder.parameters())


def test_another_encoder_is_refused_in_one_line():
    network = small()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    for sizes, words in [
        ({"width": 128, "depth": 2}, "has width 128 and depth 2, this model's has width 64 and"),
        ({"width": 64, "depth": 3}, "has width 64 and depth 3, this model's has width 64 and"),
    ]:
        with pytest.raises(CheckpointError, match=words) as caught:
            network.load_encoder(Contrastive(**sizes).state_dict())
        assert "\n" not in str(caught.value)
    with pytest.raises(CheckpointError, match="holds no encoder of phase 1"):
        network.load_encoder({"skeleton.weight": torch.zeros(3)})
    damaged = Contrastive(width=64, depth=2).state_dict()
    del damaged["encoder.norm.bias"]
    with pytest.raises(CheckpointError, match=r"is another one: .*norm.bias") as caught:
        network.load_encoder(damaged)
    assert "\n" not in str(caught.value)
    after = network.target_encoder.state_dict()
    assert all(torch.equal(after[name], before[f"target_encoder.{name}"]) for name in after)


def test_impossible_settings_are_refused():
    with pytest.raises(ConfigError, match="text 'glove' is not available"):
        small(text="glove")
    with pytest.raises(ConfigError, match="must be two rates between 0 and 1"):
        small(ema=(0.9, 1.1))
    with pytest.raises(ConfigError, match="must be two rates"):
        small(ema=(0.9,))


def test_scorer_asks_for_the_query_s_instrument():
    scorer = JepaScorer(asking(), StemFrontend(window_s=2.0), name="jepa")
    assert isinstance(scorer, EmbeddingScorer)
    random = np.random.default_rng(0)
    parts = [
        ArrayPart((0.1 * random.standard_normal(48_000)).astype(np.float32), 16_000)
        for _ in range(4)
    ]
    candidates = [{"target": part} for part in parts[1:]]
    bass = scorer.score(Query({"context": parts[0]}, instrument="electric bass"), candidates)
    drum = scorer.score(Query({"context": parts[0]}, instrument="kick drum"), candidates)
    assert bass.shape == (3,) and (bass.abs() <= 1).all()
    assert (bass - drum).abs().max() > 1e-4
    plain = scorer.score({"context": parts[0]}, candidates)
    music = scorer.score(Query({"context": parts[0]}, instrument="music"), candidates)
    assert torch.equal(plain, music)
