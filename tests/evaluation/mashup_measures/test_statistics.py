"""Figures of mashups whose measures are made up, so that each is known before."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from mashnet.evaluation.mashup_measures.measures import MEASURES
from mashnet.evaluation.mashup_measures.statistics import (
    KINDS,
    Finished,
    comparisons,
    estimates,
    meanings,
)
from mashnet.evaluation.statistics import Bootstrap

FAST = Bootstrap(num_resamples=200)


@dataclass(frozen=True)
class Named:
    song_id: str


@dataclass(frozen=True)
class Made:
    base: Named


def mashup(kind: str, song: str, clash: float, **others: float) -> Finished:
    figures = {**dict.fromkeys(MEASURES, float("nan")), "key_clash": clash, **others}
    return Finished(kind, 1, 0.0, Made(Named(song)), Path("x.flac"), (), figures)  # type: ignore[arg-type]


def test_means_and_their_difference() -> None:
    finished = [
        *(mashup("best", song, clash) for song, clash in zip("abc", (0.1, 0.2, 0.3), strict=True)),
        *(mashup("worst", song, clash) for song, clash in zip("bcd", (0.6, 0.8, 1), strict=True)),
        mashup("original", "a", 0.05),
    ]
    found = estimates(finished, FAST)
    assert list(found) == [f"key_clash_{kind}" for kind in (*KINDS, "difference")]
    assert found["key_clash_best"].value == pytest.approx(0.2)
    assert found["key_clash_worst"].value == pytest.approx(0.8)
    apart = found["key_clash_difference"]
    assert apart.value == pytest.approx(-0.6) and apart.n == 6
    assert apart.low < -0.6 < apart.high < 0
    assert found["key_clash_best"].low >= 0.1 and found["key_clash_best"].high <= 0.3
    ((compared),) = comparisons("scorer", found)
    assert compared.told_apart and (compared.first, compared.second) == ("scorer: best", "worst")
    assert set(found) <= set(meanings("judge")) and set(found) <= set(meanings(None))


def test_what_could_not_be_measured_is_left_out() -> None:
    finished = [mashup("best", "a", 0.1), mashup("best", "b", np.nan), mashup("worst", "c", np.nan)]
    found = estimates(finished, FAST)
    assert list(found) == ["key_clash_best"]
    assert (found["key_clash_best"].value, found["key_clash_best"].n) == (0.1, 1)


def test_mashups_on_one_base_are_drawn_together() -> None:
    # 20 mashups on two bases vary as two things, not as twenty.
    finished = [mashup("best", "ab"[i % 2], float(i % 2)) for i in range(20)]
    found = estimates(finished, FAST)["key_clash_best"]
    assert (found.value, found.low, found.high) == (0.5, 0.0, 1.0)


def test_one_base_on_either_side_is_not_told_apart() -> None:
    finished = [mashup("best", "a", 0.1), mashup("worst", "b", 0.9)]
    found = estimates(finished, FAST)
    assert found["key_clash_difference"].value == pytest.approx(-0.8)
    assert np.isnan([found["key_clash_difference"].low, found["key_clash_difference"].high]).all()
    assert not comparisons("scorer", found)[0].told_apart
