"""What kind of a sound it is decides how much a term counts, and nothing else does."""

from __future__ import annotations

import math

import pytest
import torch

from mashnet.audio.onset_and_pitch import OnsetAndPitch
from mashnet.models.stems.align_layers import moved_in_pitch, moved_in_time, tonal
from mashnet.models.stems.confidence import FIGURES, Confidence, figures_of

RATE = 16_000


def clicks(duration_s: float = 6.0) -> torch.Tensor:
    """Return a stroke of noise twice a second."""
    torch.manual_seed(0)
    samples = torch.zeros(round(duration_s * RATE))
    for start in range(0, len(samples) - 800, RATE // 2):
        samples[start : start + 800] = 0.3 * torch.randn(800)
    return samples


def pad(duration_s: float = 6.0) -> torch.Tensor:
    """Return a steady fifth below C4."""
    time_s = torch.arange(round(duration_s * RATE)) / RATE
    return 0.2 * sum(torch.sin(2 * torch.pi * hertz * time_s) for hertz in (110.0, 164.8))


def figures(*waves: torch.Tensor) -> list[dict[str, float]]:
    onsets, pitches = OnsetAndPitch()(torch.stack(waves))
    found = figures_of(onsets, pitches, tonal(pitches))
    return [dict(zip(FIGURES, row.tolist(), strict=True)) for row in found]


def test_strokes_and_tones_are_told_apart() -> None:
    struck, held = figures(clicks(), pad())
    for name in ("onsets", "change"):
        assert struck[name] > held[name], name
    for name in ("tonality", "key", "lasting", "bass", "active"):
        assert struck[name] < held[name], name
    assert struck["pulse"] > 0.8  # two strokes a second, all alike
    assert held["bass"] > 0.9


def test_figures_do_not_say_where_or_in_which_key() -> None:
    onsets, pitches = torch.rand(2, 64, 300), torch.rand(2, 84, 60)
    before = figures_of(onsets, pitches, tonal(pitches))
    moved = moved_in_pitch(pitches, torch.tensor([12, 12])), torch.tensor([0.3, 0.5])
    later = figures_of(moved_in_time(onsets, moved[1]), moved[0], tonal(moved[0]))
    same = [i for i, name in enumerate(FIGURES) if name in ("onsets", "high", "low", "tonality")]
    torch.testing.assert_close(later[:, same], before[:, same], atol=1e-4, rtol=1e-4)


def test_silence_has_figures() -> None:
    found = figures_of(
        *(torch.zeros(1, rows, count) for rows, count in ((64, 99), (84, 20), (84, 20)))
    )
    assert torch.isfinite(found).all()


def test_a_new_one_changes_nothing() -> None:
    factors, offsets = Confidence(4).eval()(torch.randn(3, len(FIGURES)))
    assert (factors == 1).all() and factors.shape == (3, 4)
    assert (offsets == 0).all() and offsets.shape == (3, 1)


def test_factors_have_bounds() -> None:
    layers = Confidence(2).eval()
    with torch.no_grad():
        layers.factors.weight.fill_(10.0)
    factors, _ = layers(torch.full((1, len(FIGURES)), 100.0))
    assert factors.tolist()[0] == pytest.approx([math.e] * 2)
