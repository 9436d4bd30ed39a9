"""Linear probes on tokens: where frames lie, what labels are, what is learned."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mashnet.audio.annotate import decode_beats
from mashnet.data.parts import ArrayPart
from mashnet.data.stems.frontend import StemFrontend
from mashnet.evaluation.protocols.beat_probe.baselines import DeafTokens, LogMelTokens, OnsetTokens
from mashnet.evaluation.protocols.beat_probe.probing import (
    EncodedClip,
    LinearProbes,
    encode,
    frame_slots,
    widened_labels,
)

RATE = 16_000


def test_a_token_of_a_vit_has_eight_frames() -> None:
    token, slot = frame_slots(1000, tokens_per_window=50, window_s=8.0, token_s=0.16, probes=8)
    assert token.tolist() == [frame // 8 for frame in range(1000)]
    assert slot.tolist() == [frame % 8 for frame in range(1000)]


def test_tokens_that_do_not_fill_their_window_do_not_drift() -> None:
    # 31 tokens of 0.16 s cover 4.96 of 5 s: two frames of each window belong to none.
    token, slot = frame_slots(500, tokens_per_window=31, window_s=5.0, token_s=0.16, probes=8)
    assert (token[248:250] == -1).all()
    assert (token[498:] == -1).all()
    assert (token[250], slot[250]) == (31, 0)
    assert (token[250 + 8 * 30], slot[250 + 8 * 30]) == (61, 0)
    assert (token >= 0).sum() == 2 * 31 * 8


@pytest.mark.parametrize(("token_s", "probes"), [(0.02, 1), (0.05, 2), (0.1, 5), (0.064, 3)])
def test_frames_of_any_token_length_belong_to_the_token_at_their_time(
    token_s: float, probes: int
) -> None:
    count = int(8 / token_s)
    token, slot = frame_slots(
        400, tokens_per_window=count, window_s=8.0, token_s=token_s, probes=probes
    )
    for frame in range(0, 390, 7):
        assert token[frame] == int(frame / 50 / token_s + 1e-6)
        begins_s = (token[frame] + slot[frame] / probes) * token_s
        assert begins_s - 1e-6 <= frame / 50 < begins_s + token_s / probes


def test_labels_are_widened() -> None:
    # Beats at frames 2, 3, 9 (0.188 s is nearest to 9) and one beyond the end.
    labels = widened_labels([0.04, 0.06, 0.188, 0.3], 12)
    assert labels.tolist() == [0, 0.5, 1, 1, 0.5, 0, 0, 0, 0.5, 1, 0.5, 0]
    assert widened_labels([0.0, 0.06], 4).tolist() == [1, 0.5, 0.5, 1]
    assert widened_labels([], 3).tolist() == [0, 0, 0]


def clip_of(tokens: torch.Tensor, *, probes: int = 8) -> EncodedClip:
    frames = np.arange(len(tokens) * probes)
    return EncodedClip(tokens, frames // probes, frames % probes, probes)


def made_up(num_tokens: int, seed: int) -> tuple[EncodedClip, np.ndarray]:
    """Tokens of 20 numbers, and labels that are a fixed linear function of them."""
    random = np.random.default_rng(seed)
    tokens = random.standard_normal((num_tokens, 20)) * 30 + 7
    rule = np.random.default_rng(99).standard_normal((20, 8)) / 30
    labels = ((tokens - 7) @ rule > 1.5).astype(float).reshape(-1)
    return clip_of(torch.tensor(tokens, dtype=torch.float32)), labels


def test_probes_learn_a_linear_rule() -> None:
    probes = LinearProbes.fit([made_up(4000, 0)], [made_up(500, 1)], seed=0)
    clip, labels = made_up(500, 2)
    found = probes.activations(clip)
    assert found.shape == labels.shape
    assert ((found > 0.5) == labels).mean() > 0.95  # 0.63 for who always says no
    assert found.min() >= 0
    assert found.max() <= 1


def test_what_does_not_help_on_other_songs_is_not_learned() -> None:
    random = np.random.default_rng(0)

    def noise(num_tokens: int) -> tuple[EncodedClip, np.ndarray]:
        tokens = torch.tensor(random.standard_normal((num_tokens, 200)), dtype=torch.float32)
        return clip_of(tokens), (random.random(num_tokens * 8) < 0.1).astype(float)

    probes = LinearProbes.fit([noise(300)], [noise(300)], seed=0)
    found = probes.activations(noise(100)[0])
    assert found == pytest.approx(0.1, abs=0.06)  # memorised, these would lie at 0 and 1


def test_training_is_repeatable_and_frames_without_a_token_are_silent() -> None:
    def fit(seed: int) -> LinearProbes:
        return LinearProbes.fit([made_up(400, 0)], [made_up(100, 1)], seed=seed)

    clip, _ = made_up(50, 2)
    assert (fit(0).activations(clip) == fit(0).activations(clip)).all()
    assert (fit(0).activations(clip) != fit(1).activations(clip)).any()
    token = clip.token.copy()
    token[-3:] = -1
    cut = EncodedClip(clip.tokens, token, clip.slot, 8)
    assert fit(0).activations(cut)[-3:].tolist() == [0, 0, 0]
    assert (fit(0).activations(cut)[:-3] == fit(0).activations(clip)[:-3]).all()


def test_constant_dimensions_do_no_harm() -> None:
    clip, labels = made_up(400, 0)
    wider = clip_of(torch.cat([clip.tokens, torch.full((400, 3), 5.0)], dim=1))
    found = LinearProbes.fit([(wider, labels)], [(wider, labels)], seed=0).activations(wider)
    assert np.isfinite(found).all()


@pytest.mark.parametrize(
    ("encoder", "width"), [(LogMelTokens(), 512), (OnsetTokens(), 8), (DeafTokens(), 1)]
)
def test_baselines_have_tokens_as_a_vit_has(encoder, width: int) -> None:
    part = ArrayPart(np.random.default_rng(0).standard_normal(10 * RATE).astype("f4"), RATE)
    clip = encode(encoder, StemFrontend(sample_rate=RATE, window_s=8.0), part, duration_s=10.0)
    assert clip.tokens.shape == (100, width)
    assert clip.probes == 8
    assert clip.token.tolist() == [frame // 8 for frame in range(500)]


def test_onset_tokens_tell_when_something_happens() -> None:
    wave = np.zeros(16 * RATE, np.float32)
    for click_s in (1.0, 9.5):
        wave[round(click_s * RATE) :][:400] = np.random.default_rng(0).standard_normal(400)
    clip = encode(
        OnsetTokens(),
        StemFrontend(sample_rate=RATE, window_s=8.0),
        ArrayPart(wave, RATE),
        duration_s=16.0,
    )
    strength = clip.tokens.numpy()[clip.token, clip.slot]
    highest = np.flatnonzero(strength > strength.max() / 2)
    near = np.abs(highest[:, None] - [50, 475])
    assert near.min(axis=1).max() <= 2
    assert (near.min(axis=0) <= 1).all()


def test_decoding_finds_the_beat_and_accepts_certainty() -> None:
    activations = np.zeros(1000)
    activations[10::25] = 1.0
    beats = np.array(decode_beats(activations, 50))
    assert len(beats) >= 39
    assert np.abs((beats - 0.2) / 0.5 - np.round((beats - 0.2) / 0.5)).max() < 0.05
    assert decode_beats(np.zeros(0), 50) == ()
    assert decode_beats(np.ones(1), 50) == ()
