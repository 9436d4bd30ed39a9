"""Splits by a group's hash: shares, stability, and rotations as folds of a cross-validation."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mashnet.data.splits import split_of
from mashnet.errors import ConfigError


def test_shares_of_many_groups() -> None:
    counts = Counter(split_of(f"group {number}", val=0.1, test=0.2) for number in range(4000))
    assert counts["test"] / 4000 == pytest.approx(0.2, abs=0.03)
    assert counts["val"] / 4000 == pytest.approx(0.1, abs=0.03)


@given(st.text())
def test_five_rotations_hold_every_group_out_once(group: str) -> None:
    splits = Counter(split_of(group, test=0.2, rotation=fold / 5) for fold in range(5))
    assert splits["test"] == 1


@given(st.text(), st.floats(-2, 2))
def test_a_full_turn_changes_nothing(group: str, rotation: float) -> None:
    # Compared away from the borders: a float that was turned differs in its last digit.
    near = {split_of(group, rotation=rotation + step) for step in (-1e-9, 0.0, 1e-9)}
    if len(near) == 1:
        assert split_of(group, rotation=rotation + 1) in near


def test_without_a_training_split() -> None:
    with pytest.raises(ConfigError, match="less than 1"):
        split_of("group", val=0.5, test=0.5)
