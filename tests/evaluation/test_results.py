from __future__ import annotations

import json
import re

import numpy as np
import polars as pl
import pytest

from mashnet.evaluation.figures import roc_curves
from mashnet.evaluation.report import write_report
from mashnet.evaluation.results import (
    Comparison,
    Metric,
    Outcome,
    Plot,
    ScorerResult,
    console_table,
    write_outcome,
)
from mashnet.evaluation.statistics import Estimate

NAN = float("nan")


def outcome(num_scorers):
    results = [
        ScorerResult(
            "mix_classification",
            f"scorer {i} <b>",
            "data/real",
            "test",
            {"auc": Estimate(0.75, 0.5, 1.0, 12), "f1": Estimate(0.5, NAN, NAN, 12)},
            {"artefact_control": False},
        )
        for i in range(num_scorers)
    ]
    scores = {"a": np.array([0.1, 0.9])}
    return Outcome(
        protocol="mix_classification",
        title="A title",
        summary="A summary",
        results=results,
        metrics={"auc": Metric("Area.", 0.5, headline=True), "f1": Metric("F.", None)},
        scores=pl.DataFrame({"scorer": ["a"], "score": [0.5]}),
        plots=[Plot("roc", roc_curves(scores, np.array([False, True])), "A caption")],
        comparisons=[
            Comparison("auc", "a", "b", Estimate(0.2, 0.1, 0.3, 12)),
            Comparison("auc", "a", "c", Estimate(0.2, -0.1, 0.3, 12)),
        ],
        notes=["A note"],
    )


def test_metrics_json_is_as_the_contract_says(tmp_path):
    write_outcome(outcome(1), tmp_path)
    assert json.loads((tmp_path / "metrics.json").read_text()) == {
        "protocol": "mix_classification",
        "scorer": "scorer 0 <b>",
        "data": "data/real",
        "split": "test",
        "artefact_control": False,
        "metrics": {
            "auc": {"value": 0.75, "low": 0.5, "high": 1.0, "n": 12},
            "f1": {"value": 0.5, "low": None, "high": None, "n": 12},
        },
    }


def test_several_scorers_are_a_list(tmp_path):
    written = write_outcome(outcome(2), tmp_path)
    assert [r["scorer"] for r in json.loads((tmp_path / "metrics.json").read_text())] == [
        "scorer 0 <b>",
        "scorer 1 <b>",
    ]
    assert {p.name for p in written} == {
        "metrics.json",
        "scores.parquet",
        "comparisons.json",
        "roc.png",
    }
    assert all(path.is_file() for path in written)
    assert {p.name for p in tmp_path.iterdir()} == {p.name for p in written}
    assert (tmp_path / "roc.png").read_bytes().startswith(b"\x89PNG")
    told = [c["told_apart"] for c in json.loads((tmp_path / "comparisons.json").read_text())]
    assert told == [True, False]


def test_the_report_stands_alone(tmp_path):
    write_report(outcome(2), tmp_path / "report.html", command="python evaluate.py a=<x>")
    html = (tmp_path / "report.html").read_text("utf-8")
    addresses = re.findall(r"""(?:src|href)=["']([^"']*)""", html)
    assert addresses
    assert all(address.startswith("data:image/png;base64,") for address in addresses)
    assert "http" not in html
    assert "url(" not in html
    for text in (
        "A title",
        "A summary",
        "A caption",
        "A note",
        "data/real",
        "0.750 [0.500, 1.000]",
        "artefact control = false",
        "told apart",
        "not told apart by these songs",
    ):
        assert text in html
    assert "scorer 0 &lt;b&gt;" in html  # names are shown, not obeyed
    assert "a=&lt;x&gt;" in html


def test_the_console_table_has_headlines_and_chance():
    lines = console_table(outcome(2)).splitlines()
    assert lines[0].split() == ["scorer", "auc"]
    assert lines[-1].split() == ["(chance)", "0.500"]
    assert len(lines) == 4


@pytest.mark.parametrize(
    ("value", "text"), [(0.12345, "0.123"), (26550.04, "26550.0"), (None, "–"), (NAN, "–")]
)
def test_numbers_have_as_many_digits_as_help(value, text):
    from mashnet.evaluation.results import format_number

    assert format_number(value) == text
