"""Spread and effective rank, by hand."""

from __future__ import annotations

import math

import pytest
import torch

from mashnet.models.stems.collapse import spread


def test_a_cross_uses_two_dimensions_fully():
    # Coordinates 1, -1, 0, 0 on both axes: variance 1/2, deviation times the root of two is 1.
    cross = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    deviation, rank = spread(cross)
    assert deviation == pytest.approx(1.0)
    assert rank == pytest.approx(2.0)  # both singular values are the root of two


def test_only_directions_count():
    lengths = torch.tensor([[3.0], [0.1], [7.0], [1.0]])
    vectors = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    assert spread(vectors * lengths) == pytest.approx(spread(vectors), abs=1e-6)


def test_a_line_has_rank_one():
    deviation, rank = spread(torch.tensor([[2.0, 0.0], [-2.0, 0.0]]))
    # Deviations 1 and 0: mean one half, times the root of two.
    assert deviation == pytest.approx(math.sqrt(0.5))
    assert rank == pytest.approx(1.0)


def test_effective_rank_of_unequal_directions_by_hand():
    # Nine pairs along one axis and one along another: singular values √18 and √2, that is 3 : 1.
    one, other = torch.tensor([[1.0, 0, 0]]), torch.tensor([[0, 1.0, 0]])
    vectors = torch.cat([one, -one] * 9 + [other, -other])
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert spread(vectors)[1] == pytest.approx(math.exp(entropy))
    assert math.exp(entropy) == pytest.approx(1.7548, abs=1e-4)


def test_a_collapse_reads_zero_in_spite_of_rounding():
    generator = torch.Generator().manual_seed(0)
    vectors = torch.randn(1, 64, generator=generator) + 1e-9 * torch.randn(
        500, 64, generator=generator
    )
    deviation, rank = spread(vectors)
    assert deviation < 1e-6
    assert rank == 0.0
    assert spread(torch.zeros(3, 4)) == (0.0, 0.0)


def test_random_vectors_are_nearly_even():
    deviation, rank = spread(torch.randn(4000, 16, generator=torch.Generator().manual_seed(0)))
    assert deviation == pytest.approx(1.0, abs=0.02)
    assert 15.9 < rank <= 16


def test_half_precision_and_gradients_do_not_matter():
    vectors = torch.randn(50, 8, generator=torch.Generator().manual_seed(0))
    expected = spread(vectors)
    assert spread(vectors.clone().requires_grad_()) == expected
    assert spread(vectors.bfloat16()) == pytest.approx(expected, rel=0.01)
