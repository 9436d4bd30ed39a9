import numpy as np
import pytest

from mashnet.evaluation.subjects.moves import KINDS
from mashnet.models.rules.automashupper import Fit
from mashnet.studio.charts import curve_chart, reason_chart, score_range
from mashnet.studio.reasons import Reason
from mashnet.studio.vocal_moves import Curve

CURVE = Curve(KINDS[2], np.array([-0.5, 0.0, 0.5]), np.array([0.2, 0.9, 0.1]))
FLAT = Curve(KINDS[0], np.array([-1.0, 0.0, 1.0]), np.array([0.4, 0.4, 0.4]))
FIT = Fit(score=0.5, harmonic=0.6, rhythmic=0.3, spectral=0.8, semitones=0, beats=2)


def rows_of(chart):
    (rows, *others) = sorted(chart.to_dict()["datasets"].values(), key=len, reverse=True)
    return rows, others


def test_a_curve_is_drawn_point_by_point_on_an_axis_that_holds_all_curves():
    low, high = score_range([CURVE, FLAT])
    assert low == pytest.approx(0.1 - 0.08 * 0.8)
    assert high == pytest.approx(0.9 + 0.08 * 0.8)
    rows, _ = rows_of(curve_chart(CURVE, (low, high)))
    assert [(row["amount"], row["score"]) for row in rows] == [(-0.5, 0.2), (0, 0.9), (0.5, 0.1)]


def test_curves_that_are_flat_have_an_axis_too():
    low, high = score_range([FLAT])
    assert low < 0.4 < high


def test_bars_are_the_rules_terms_with_the_own_vocals_where_there_is_one():
    rows, others = rows_of(reason_chart(Reason("harmonic", FIT, None)))
    assert {row["term"]: row["this vocal"] for row in rows} == {
        "harmonic": 0.6,
        "rhythmic": 0.3,
        "spectral": 0.8,
    }
    assert others == [[]] or not others
    rows, _ = rows_of(reason_chart(Reason("percussion", FIT, FIT)))
    assert {row["term"]: row["its own vocal"] for row in rows} == {"rhythmic": 0.3, "spectral": 0.8}
