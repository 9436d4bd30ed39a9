"""COCOLA as it is trained here: sizes, modes, masks, loss, and scores that keep still."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mashnet.data.parts import ArrayPart
from mashnet.data.stems.frontend import StemFrontend
from mashnet.errors import ConfigError
from mashnet.models.networks import scorer_class_of
from mashnet.models.scorer import EmbeddingScorer
from mashnet.models.stems.cocola import MODES, Cocola, CocolaScorer

RATE = 16_000
SMALL = {
    "n_fft": 512, "hop_length": 320, "kernel": 15, "n_mels": 32,
    "width": 0.25, "depth": 0.3, "embedding": 32, "batch_norm_momentum": 0.3,
}  # fmt: skip


def waves(count, seconds=1.0, seed=0):
    """Return plucked tones with clicks, each with its own pitch and pulse, (count, samples)."""
    random = np.random.default_rng(seed)
    t = np.arange(round(seconds * RATE)) / RATE
    made = [
        0.3 * np.sin(2 * np.pi * pitch * t) * np.exp(-6 * (t % period))
        + 0.3 * random.standard_normal(len(t)) * (t % (period / 2) < 0.01)
        for pitch, period in zip(
            random.uniform(100, 1500, count), random.uniform(0.2, 0.6, count), strict=True
        )
    ]
    return torch.from_numpy(np.stack(made).astype(np.float32))


def network(mode="both", **sizes):
    """Return a small network whose batch normalisation has seen something."""
    torch.manual_seed(0)
    made = Cocola(**{**SMALL, **sizes}, mode=mode)
    with torch.no_grad():
        for _ in range(5):
            made(batch(6))
    return made.eval()


def batch(count, seconds=1.0):
    return {
        "context": waves(count, seconds, 1),
        "target": waves(count, seconds, 2),
        "label": [""] * count,
        "song": torch.arange(count),
    }


def part(wave):
    return {"stem": ArrayPart(wave.numpy(), RATE)}


def test_published_sizes_by_hand():
    # EfficientNet-b0 has 5,288,548 parameters, of which 1,281,000 are its last layer, left out
    # here, and 32 × 3 × 3 = 288 hear a third channel.
    backbone = 5_288_548 - 1_281_000 - 288
    head = (1280 + 1) * 512 + 2 * 512 + 512 * 512
    made = Cocola()
    assert sum(p.numel() for p in made.parameters()) == backbone + head == 4_926_300
    assert made.features(torch.zeros(1, 5 * RATE)).shape == (1, 2, 64, 501)
    assert made.sample_rate == RATE and made.windows_meet


def test_it_is_found_by_its_module():
    assert scorer_class_of("cocola") is CocolaScorer
    assert CocolaScorer.network_class is Cocola


def test_only_weights_are_saved():
    """Filters are made anew from the sizes: a checkpoint cannot bring others."""
    assert {name.split(".")[0] for name in Cocola(**SMALL).state_dict()} == {"encoder", "bilinear"}


def test_zero_is_silence_and_one_the_loudest_of_both_channels():
    made = Cocola(**SMALL)
    t = torch.arange(RATE) / RATE
    tone = 0.5 * torch.sin(2 * torch.pi * 440 * t)
    features = made.features(torch.stack([tone, torch.zeros_like(t), 0.1 * tone, 1e-5 * tone]))
    loud, silent, tenth, inaudible = features
    assert loud[0].max().item() == pytest.approx(1)
    assert loud[1, :, 5:-5].max() < 0.9  # a tone is not half percussion, as it was published
    assert torch.count_nonzero(silent) == 0
    torch.testing.assert_close(tenth, loud, atol=1e-4, rtol=0)  # the level of a stem is no clue
    assert inaudible.max() < 0.6  # but what nobody hears is not blown up


@pytest.mark.parametrize(("mode", "heard"), [("harmonic", 0), ("percussive", 1)])
def test_a_score_hears_what_its_mode_says(monkeypatch, mode, heard):
    made = network(mode)
    real = made.features(waves(3))
    plain = made.embed_target(waves(3))
    for channel in (0, 1):
        changed = real.clone()
        changed[:, channel] = torch.rand_like(changed[:, channel])
        monkeypatch.setattr(made, "features", lambda _, changed=changed: changed)
        same = torch.allclose(made.embed_target(waves(3)), plain, atol=1e-6)
        assert same == (channel != heard)
        contexts = made.embed_context(waves(3), [""] * 3)
        assert torch.allclose(contexts, plain @ made.bilinear, atol=1e-5) == same


def test_modes_score_differently():
    scores = []
    for mode in MODES:
        made = network(mode)
        scores.append(
            made.embed_context(waves(2), ["", ""]) @ made.embed_target(waves(2, seed=5)).T
        )
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert (scores[one] - scores[other]).abs().max() > 1e-3


def test_an_unknown_mode_names_the_nearest():
    with pytest.raises(ConfigError, match="Did you mean 'harmonic'"):
        Cocola(**SMALL, mode="harmonics")


def test_scores_are_a_bilinear_form_that_is_not_symmetric():
    made = network()
    x, y = waves(2), waves(2, seed=9)
    scores = made.embed_context(x, ["", ""]) @ made.embed_target(y).T
    one, other = made.embed_target(x), made.embed_target(y)
    assert one.abs().max() <= 1
    expected = torch.einsum("id,de,je->ij", one, made.bilinear, other)
    torch.testing.assert_close(scores, expected, atol=1e-4, rtol=1e-4)
    reverse = made.embed_context(y, ["", ""]) @ made.embed_target(x).T
    assert (scores - reverse.T).abs().max() > 1e-2


def masks_of(made, examples):
    """Return which channels the encoder heard: contexts and targets, (n, 2) each."""
    heard = []
    hook = made.encoder.register_forward_pre_hook(lambda _, inputs: heard.append(inputs[0]))
    made(examples)
    hook.remove()
    return (heard[0] != 0).any(dim=-1).any(dim=-1).chunk(2)


def test_training_masks_both_sides_of_a_pair_alike():
    made = network().train()
    examples = batch(40)
    before = {side: examples[side].clone() for side in ("context", "target")}
    torch.manual_seed(0)
    contexts, targets = masks_of(made, examples)
    assert torch.equal(contexts, targets)
    drawn = [tuple(row) for row in contexts.tolist()]
    # A third each: five standard deviations of 40 draws are 15.
    counts = [drawn.count(pattern) for pattern in ((True, True), (True, False), (False, True))]
    assert sum(counts) == 40 and min(counts) > 2
    torch.manual_seed(0)
    assert torch.equal(masks_of(made, examples)[0], contexts)
    assert not torch.equal(masks_of(made, examples)[0], contexts)
    for side, wave in before.items():
        assert torch.equal(examples[side], wave)


def test_nothing_is_random_outside_training():
    made = network()
    assert all(side.all() for side in masks_of(made, batch(12)))
    one, other = made(batch(4)), made(batch(4))
    torch.testing.assert_close(one, other, atol=0, rtol=0)
    contexts, targets = one
    examples = batch(4)
    expected = made.embed_context(examples["context"], [""] * 4)
    torch.testing.assert_close(contexts, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(targets, made.embed_target(examples["target"]), atol=1e-5, rtol=0)


def test_loss_by_hand():
    contexts = torch.eye(2) * np.log(3)
    targets = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    ignore = torch.zeros(2, 3, dtype=torch.bool)
    made = Cocola(**SMALL)
    # Scores (ln 3, 0, 0) and (0, ln 3, ln 3): shares 3/5 and 3/7 for the partners.
    expected = -(np.log(3 / 5) + np.log(3 / 7)) / 2
    assert made.loss(contexts, targets, ignore).item() == pytest.approx(expected, abs=1e-6)
    ignore[1, 2] = True  # of the same song: no negative; 3/4 remain
    expected = -(np.log(3 / 5) + np.log(3 / 4)) / 2
    assert made.loss(contexts, targets, ignore).item() == pytest.approx(expected, abs=1e-6)


def test_it_can_learn():
    """Eight pairs, each of one sound: found by their scores after some steps."""
    torch.manual_seed(0)
    made = Cocola(**SMALL, dropout=0.0).train()
    sounds = waves(8)
    examples = {"context": sounds, "target": 0.5 * sounds, "label": [""] * 8}
    optimizer = torch.optim.Adam(made.parameters(), lr=0.01)
    ignore = torch.zeros(8, 8, dtype=torch.bool)
    losses = []
    for _ in range(25):
        loss = made.loss(*made(examples), ignore)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert np.mean(losses[-5:]) < 0.3 * losses[0]
    for name, parameter in made.named_parameters():
        assert parameter.grad is not None and parameter.grad.count_nonzero(), name


@pytest.fixture(scope="module")
def scorer():
    return CocolaScorer(network(), StemFrontend(window_s=1.0), name="cocola")


def test_windows_meet_in_time(scorer):
    """The score of 2.5 s is the mean of its windows' scores, the last one counting half."""
    one, other = waves(1, 2.5)[0], waves(1, 2.5, 3)[0]
    assert isinstance(scorer, EmbeddingScorer)
    score = scorer.score(part(one), [part(other)]).item()
    pieces = [
        scorer.score(part(a), [part(b)]).item()
        for a, b in zip(one.split(RATE), other.split(RATE), strict=True)
    ]
    assert np.ptp(pieces) > 1e-3
    assert score == pytest.approx((pieces[0] + pieces[1] + 0.5 * pieces[2]) / 2.5, abs=1e-4)


def test_scores_do_not_depend_on_the_batch(scorer):
    query = part(waves(1, 2.0)[0])
    candidates = [part(wave) for wave in waves(20, 1.0, 4)]
    together = scorer.score(query, candidates)
    alone = torch.cat([scorer.score(query, [candidate]) for candidate in candidates])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)
    made = scorer.network
    both = torch.cat([waves(1), waves(63, seed=8)])
    torch.testing.assert_close(
        made.embed_target(both)[:1], made.embed_target(both[:1]), atol=1e-5, rtol=0
    )


def test_silence_gives_finite_numbers(scorer):
    silence = part(torch.zeros(RATE))
    assert scorer.network.embed_target(torch.zeros(2, RATE)).isfinite().all()
    assert scorer.score(silence, [silence, part(waves(1)[0])]).tolist() == [0.0, 0.0]


def test_pairs_of_other_modes_teach_nothing():
    """They differ by a missing channel, which a network would learn instead of the music."""
    torch.manual_seed(0)
    made = network().train()
    contexts, targets = made(batch(12))
    modes = contexts[:, -3:].argmax(1)
    assert len(set(modes.tolist())) > 1
    chances = (contexts @ targets.T).softmax(1)
    assert chances[modes[:, None] != modes].max() == 0
    of_one = (contexts[:, :-3] @ targets[:, :-3].T).masked_fill(modes[:, None] != modes, -torch.inf)
    torch.testing.assert_close(chances, of_one.softmax(1), atol=1e-4, rtol=1e-3)
