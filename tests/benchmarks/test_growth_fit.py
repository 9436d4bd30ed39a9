"""Exponents of growth that are known."""

from __future__ import annotations

import pytest

from benchmarks.growth_fit import fit, is_worse


@pytest.mark.parametrize("exponent", [0.0, 1.0, 1.5, 2.0])
def test_an_exponent_is_found(exponent: float) -> None:
    sizes = (10, 30, 100, 300, 1000)
    law = fit(sizes, [0.002 * size**exponent for size in sizes])
    assert law.exponent == pytest.approx(exponent, abs=1e-6)
    assert law.factor == pytest.approx(0.002)
    assert law.at(50) == pytest.approx(0.002 * 50**exponent)


def test_a_constant_start_counts_little_in_the_upper_sizes() -> None:
    sizes = (10, 30, 100, 300, 1000)
    costs = [0.1 + 0.01 * size for size in sizes]
    assert fit(sizes, costs, upper=5).exponent < 0.92
    assert fit(sizes, costs).exponent == pytest.approx(1, abs=0.05)


def test_what_no_clock_tells_from_nothing_is_constant() -> None:
    assert fit((10, 100), (0.0, 1e-9)).exponent == pytest.approx(0, abs=1e-9)


def test_worse_is_more_than_a_quarter_above() -> None:
    assert not is_worse(1.2, 1)
    assert is_worse(1.3, 1)
    assert not is_worse(0.1, 1)


def test_a_fit_needs_two_sizes() -> None:
    with pytest.raises(ValueError, match="two sizes"):
        fit((10,), (1.0,))
