"""AlignNet holds the alignment rule, hears where things are, and learns to."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mashnet.audio.descriptors import chromagram, onset_strength
from mashnet.audio.onset_and_pitch import EDGE_FRAMES, OnsetAndPitch
from mashnet.data.parts import ArrayPart
from mashnet.data.stems.frontend import StemFrontend
from mashnet.errors import ConfigError
from mashnet.models.rules.alignment import AlignmentScorer
from mashnet.models.stems.align_layers import (
    Chords,
    TimeFilter,
    moved_in_pitch,
    moved_in_time,
    tonal,
)
from mashnet.models.stems.alignnet import TERMS, AlignNet, AlignNetScorer, _moved_apart

RATE = 16_000


def melody(seed: int, duration_s: float = 8.0, beat_s: float = 0.25) -> np.ndarray:
    """Return decaying tones on a grid of its own, after a second of silence."""
    random = np.random.default_rng(seed)
    samples = np.zeros(round(duration_s * RATE), np.float32)
    tone_s = np.arange(round(0.2 * RATE)) / RATE
    for onset_s in np.arange(1.0 + random.uniform(0, beat_s), duration_s - 0.3, beat_s):
        if random.uniform() < 0.6:
            hertz = 220 * 2 ** (random.choice([0, 2, 4, 5, 7, 9, 11]) / 12)
            tone = np.sin(2 * np.pi * hertz * tone_s) * np.exp(-12 * tone_s)
            first = round(onset_s * RATE)
            samples[first : first + len(tone)] += 0.3 * tone.astype(np.float32)
    return samples


def group(samples: np.ndarray) -> dict[str, ArrayPart]:
    return {"harmonic": ArrayPart(samples, RATE)}


def scorer(**settings: object) -> AlignNetScorer:
    torch.manual_seed(0)
    return AlignNetScorer(AlignNet(**settings), StemFrontend(window_s=10.0), name="alignnet")  # type: ignore[arg-type]


def test_with_the_rules_weights_it_scores_as_the_rule_does() -> None:
    query, candidates = group(melody(0)), [group(melody(seed)) for seed in range(5)]
    model = scorer(terms=["onset", "metre", "key", "harmony"])
    with torch.no_grad():
        model.network.weights.copy_(torch.tensor([12.0, 12.0, 4.5, 4.5]) / 33)
        model.network.filter.taps.zero_()
    rule = AlignmentScorer().score(query, candidates)
    torch.testing.assert_close(model.score(query, candidates), rule, atol=1e-4, rtol=0)
    assert rule[1:].max() < 0.9


def test_a_new_network_prefers_what_belongs_together() -> None:
    ours = scorer().score(group(melody(0)), [group(melody(seed)) for seed in range(5)])
    assert ours[0] > 0.99 and ours[1:].max() < 0.9


def test_features_are_those_of_the_rule() -> None:
    samples = melody(3)
    onsets, pitches = OnsetAndPitch()(torch.from_numpy(samples)[None])
    assert onsets.shape == (1, 64, len(samples) // 320 + 1)
    torch.testing.assert_close(onsets[0].mean(0), onset_strength(samples), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(
        pitches[0].unflatten(0, (7, 12)).sum(0), chromagram(samples), atol=1e-3, rtol=1e-4
    )


def test_that_a_wave_begins_is_no_onset() -> None:
    steady = 0.3 * torch.sin(2 * torch.pi * 440 * torch.arange(2 * RATE) / RATE)[None]
    onsets, _ = OnsetAndPitch()(steady)
    assert onsets[..., : EDGE_FRAMES + 3].max() < 1e-2


def test_the_same_number_alone_and_among_64() -> None:
    model = scorer(terms=TERMS)
    with torch.no_grad():
        model.network.weights.fill_(0.1)  # the learned terms count too
    query = group(melody(0))
    candidates = [group(melody(seed, 4 + seed % 5)) for seed in range(64)]
    together = model.score(query, candidates)
    alone = torch.cat([scored(query, c) for c in candidates[::9] for scored in [one(model)]])
    torch.testing.assert_close(together[::9], alone, atol=1e-5, rtol=0)


def one(model: AlignNetScorer):
    fresh = AlignNetScorer(model.network, model.frontend, name="fresh")
    return lambda query, candidate: fresh.score(query, [candidate])


def test_silence_is_finite_and_says_nothing() -> None:
    silent = group(np.zeros(4 * RATE, np.float32))
    assert scorer().score(group(melody(0)), [silent]).tolist() == [0.0]


def test_tones_last_and_strokes_do_not() -> None:
    pitches = 0.1 * torch.rand(1, 84, 40)
    pitches[0, 45, 10:30] += 1.0  # a note of two seconds
    pitches[0, :, 35:37] += 1.0  # a stroke of 0.2 s
    found = tonal(pitches)
    assert found[0, 45, 12:28].min() > 0.8
    assert found[..., 35:37].max() < 0.15
    assert found.min() == 0


def test_chords_are_transposed_with_their_input() -> None:
    torch.manual_seed(1)
    layers = Chords(3, 8, 0.0).eval()
    pitches = torch.rand(1, 84, 20)
    rolled = moved_in_pitch(pitches, torch.tensor([12]))
    moved = torch.cat([pitches.unflatten(1, (7, 12)).roll(2, 2)], 1).flatten(1, 2)
    with torch.no_grad():
        torch.testing.assert_close(layers(moved), layers(pitches).roll(2, 2))
    assert (rolled[:, 12:] == pitches[:, :-12]).all()


def test_a_new_filter_takes_off_what_is_around() -> None:
    layer = TimeFilter(25)
    frames = torch.rand(2, 80)
    around = frames.unfold(1, 11, 1).mean(-1)  # 0.1 s to either side, at 50 frames a second
    torch.testing.assert_close(layer(frames)[:, 5:-5], frames[:, 5:-5] - around)
    with torch.no_grad():
        layer.taps.zero_()
    torch.testing.assert_close(layer(frames), frames)


def test_moves() -> None:
    frames = torch.arange(10.0)[None, None].repeat(2, 3, 1)
    turned = moved_in_time(frames, torch.tensor([0.0, 0.3]))
    assert turned[0, 0].tolist() == list(range(10))
    assert turned[1, 2].tolist() == [7, 8, 9, 0, 1, 2, 3, 4, 5, 6]


def test_moved_targets_are_moved_in_time_or_in_pitch_never_both_never_neither() -> None:
    torch.manual_seed(0)
    onsets, pitches = torch.rand(8, 64, 100), torch.rand(8, 84, 20)
    moved_onsets, moved_pitches = _moved_apart(onsets, pitches)
    for index in range(8):
        in_time = index % 2 == 0
        assert bool((moved_onsets[index] != onsets[index]).any()) == in_time
        assert (moved_pitches[index] != pitches[index]).any()
        turned = sorted(moved_pitches[index].sum(0).tolist())
        assert turned == pytest.approx(sorted(pitches[index].sum(0).tolist()))


def test_training_moves_weights_of_every_term() -> None:
    torch.manual_seed(0)
    network = AlignNet(terms=TERMS).train()
    waves = torch.stack([torch.from_numpy(melody(seed, 5.0)) for seed in range(8)])
    batch = {"context": waves, "target": waves.flip(0)}
    contexts, targets = network(batch)
    assert len(contexts) == 8 and len(targets) == 16
    before = waves.clone()
    network.loss(contexts, targets, torch.zeros(8, 16, dtype=torch.bool)).backward()
    assert (network.weights.grad != 0).all()
    assert network.filter.taps.grad is not None and network.filter.taps.grad.abs().sum() > 0
    assert (waves == before).all()


def test_half_precision_changes_nothing() -> None:
    torch.manual_seed(0)
    network = AlignNet(terms=TERMS).eval()
    waves = torch.stack([torch.from_numpy(melody(seed, 5.0)) for seed in range(3)])
    batch = {"context": waves, "target": waves.flip(0)}
    none = torch.zeros(3, 3, dtype=torch.bool)
    with torch.no_grad():
        expected = network(batch)
        loss = network.loss(*expected, none)
        with torch.autocast("cpu", torch.bfloat16):
            found = network(batch)
            assert network.loss(*found, none) == loss
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_pairs_of_one_song_do_not_count() -> None:
    torch.manual_seed(0)
    network = AlignNet()
    contexts, targets = torch.randn(3, 6), torch.randn(3, 6)
    ignore = torch.zeros(3, 3, dtype=torch.bool)
    ignore[0, 1] = True
    loss = network.loss(contexts, targets, ignore)
    targets_far = targets.clone()
    logits = contexts @ targets_far.T * network.log_scale.exp()
    logits[0, 1] = -torch.inf
    forth = -logits.log_softmax(1).diagonal().mean()
    back = -logits.log_softmax(0).diagonal().mean()
    torch.testing.assert_close(loss, (forth + back) / 2)


@pytest.mark.parametrize("terms", [["onset"], ["events"], list(TERMS)])
def test_terms_can_be_left_out(terms: list[str]) -> None:
    model = scorer(terms=terms)
    assert len(model.network.weights) == len(terms)
    assert float(model.network.weights.detach().sum()) == pytest.approx(1.0)
    assert torch.isfinite(model.score(group(melody(0)), [group(melody(1))])).all()


def test_pooling_over_time_forgets_where_things_are() -> None:
    samples = melody(0)
    late = np.roll(samples, RATE // 3)
    kept = scorer(terms=["onset"]).score(group(samples), [group(samples), group(late)])
    pooled = scorer(terms=["onset"], pool_over_time=True).score(
        group(samples), [group(samples), group(late)]
    )
    assert kept[0] - kept[1] > 0.3
    assert pooled[0] - pooled[1] < 0.01


def test_an_unknown_term_is_refused() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'events'"):
        AlignNet(terms=["event"])
