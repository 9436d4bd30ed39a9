"""The class-conditioned baseline: sizes by hand, classes of labels, and how it embeds."""

from __future__ import annotations

import pytest
import torch

from mashnet.errors import ConfigError
from mashnet.models.networks import scorer_class_of
from mashnet.models.stems.stem_jepa import StemJepa, StemJepaScorer

SIZES = {"width": 64, "depth": 2, "hidden": 32, "layers": 3}


def small(seed=0, **settings):
    torch.manual_seed(seed)
    return StemJepa(**{**SIZES, **settings})


def noise(count, seconds, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return 0.1 * torch.randn(count, round(seconds * 16_000), generator=generator)


def batch(labels=("bass", "vocals"), seconds=2):
    return {
        "context": noise(len(labels), seconds), "target": noise(len(labels), seconds, seed=2),
        "label": list(labels), "song": torch.arange(len(labels)),
    }  # fmt: skip


def test_is_found_by_name():
    assert scorer_class_of("stem_jepa") is StemJepaScorer
    assert StemJepaScorer.network_class is StemJepa


def test_published_sizes_by_hand():
    with torch.device("meta"):
        network = StemJepa()
    # Six dense layers; the first hears a patch and its class's vector. A norm, four classes.
    predictor = (2 * 768 + 1) * 1024 + 4 * (1024 + 1) * 1024 + (1024 + 1) * 768 + 2 * 768
    assert predictor + 4 * 768 == 6_564_096  # 6.6 M
    trained = sum(p.numel() for p in network.parameters() if p.requires_grad)
    assert trained == 85_253_376 + 6_564_096
    # With the copy and both tables of positions this is the published 177 M.
    total = sum(p.numel() for p in network.parameters()) + 2 * 250 * 768
    assert total == pytest.approx(177e6, rel=0.005)


def test_classes_of_names_and_paths():
    network = small(classes=["Bass", "drums", "other", "guitar", "lead guitar"])
    for name, expected in {
        "bass": "bass",
        " BASS ": "bass",
        "guitar/electric guitar": "guitar",
        "guitar/lead guitar": "lead guitar",
        "guitar / Lead  Guitar/left": "lead guitar",
        "bassoon": "other",
        "": "other",
        "music": "other",
    }.items():
        assert network.class_of(name) == expected, name


def test_without_other_there_is_one_vector_more_for_the_unknown():
    assert small(classes=["bass", "drums"]).class_vectors.num_embeddings == 3
    assert small(classes=["bass", "other"]).class_vectors.num_embeddings == 2
    network = small(classes=["bass", "drums"])
    known, oboe, unsaid = network.conditions(["drums", "oboe", ""])
    assert torch.equal(oboe, unsaid) and not torch.equal(oboe, known)
    assert torch.equal(known, network.class_vectors.weight[1])


@pytest.mark.parametrize("classes", [[], ["bass", "Bass"], ["bass", ""]])
def test_impossible_classes_are_refused(classes):
    with pytest.raises(ConfigError, match="must be different names"):
        small(classes=classes)


@pytest.mark.parametrize("seconds", [2, 5, 8, 10])
def test_shapes_at_any_length(seconds):
    network = small().eval()
    tokens = 5 * -(-seconds * 16_000 // 2560)
    with torch.inference_mode():
        predicted, wanted = network(batch(seconds=seconds))
        contexts = network.embed_context(noise(2, seconds), ["bass", ""])
        targets = network.embed_target(noise(2, seconds))
    assert predicted.shape == wanted.shape == (2, tokens, 64)
    for vectors in (contexts, targets):
        assert vectors.shape == (2, 5 * 64)  # the patches of a moment stay apart
        torch.testing.assert_close(vectors.norm(dim=1), torch.ones(2))


def test_embeddings_equal_the_published_evaluation():
    """Means over time of the five rows of patches, normalised as one vector of 5 × width."""
    network, waves = small().eval(), noise(2, 2)
    rows = network.target_encoder(waves).view(2, 5, 13, 64).mean(2).flatten(1)
    expected = torch.nn.functional.layer_norm(rows, (5 * 64,))
    expected = torch.nn.functional.normalize(expected, dim=-1)
    torch.testing.assert_close(network.embed_target(waves), expected, atol=1e-5, rtol=1e-4)


def test_gradients_reach_what_is_trained_and_nothing_else():
    network = small().train()
    network.loss(*network(batch(["bass", "drums", "oboe", "vocals"]))).backward()
    for name, parameter in network.named_parameters():
        if name.startswith("target_encoder."):
            assert parameter.grad is None and not parameter.requires_grad, name
        else:
            assert parameter.grad is not None and parameter.grad.abs().max() > 0, name
    assert (network.class_vectors.weight.grad.abs().amax(1) > 0).all()  # each class was asked for


def test_the_class_counts():
    network, waves = small().eval(), noise(1, 2).expand(2, -1)
    bass, drums = network.embed_context(waves, ["bass", "drums"])
    assert (bass - drums).abs().max() > 1e-3


def test_silence_is_finite_and_batches_do_not_matter():
    network, waves = small().eval(), noise(64, 2)
    waves[3] = 0
    texts = ["bass", "drums", "oboe", ""] * 16
    with torch.inference_mode():
        contexts, targets = network.embed_context(waves, texts), network.embed_target(waves)
        assert contexts.isfinite().all() and targets.isfinite().all()
        for i in range(8):
            alone = network.embed_context(waves[i : i + 1], texts[i : i + 1])
            torch.testing.assert_close(contexts[i : i + 1], alone, atol=1e-5, rtol=0)
            alone = network.embed_target(waves[i : i + 1])
            torch.testing.assert_close(targets[i : i + 1], alone, atol=1e-5, rtol=0)


def test_moves_its_target_by_the_published_schedule():
    network = small()
    assert network.ema_rate(50, 100) == pytest.approx(0.99997)
    with torch.no_grad():
        network.encoder.norm.bias.fill_(1.0)
    network.update_target(0, 100)
    moved = network.target_encoder.norm.bias
    torch.testing.assert_close(moved, torch.full_like(moved, 5e-5), atol=1e-9, rtol=1e-3)
