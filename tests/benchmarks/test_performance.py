"""The one command: what it measures, what it writes, and that it goes on where it stopped."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from benchmarks import __main__ as performance
from benchmarks.measuring import family, measure, repeated_s, rounded, row
from benchmarks.performance_tables import draw_growth, finished, markdown
from mashnet.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
GROWN = {
    "what": "open",
    "figure": 1.4,
    "unit": "exponent",
    "note": "",
    "expected": 1,
    "worse": True,
    "sizes": [10, 100, 1000],
    "costs_s": [0.001, 0.02, 0.6],
    "peaks_mb": [90, 120],
    "peak_mb": 120,
}


def test_peak_memory_is_that_of_the_work() -> None:
    def large() -> list[dict]:
        filled = np.ones(200 * 2**20, np.uint8)
        time.sleep(0.5)
        return [row("sum", float(filled[::4096].sum()), "")]

    (small,) = measure(lambda: [row("nothing", 1.0, "")], "nothing")
    (found,) = measure(large, "200 MB")
    assert found["figure"] == 51200
    assert 180 < found["peak_mb"] - small["peak_mb"] < 300


TWO_OF_150_MB = """
import json, os, time
from benchmarks.measuring import measure, row

def parent():
    child = os.fork()
    filled = bytearray(b"1") * (150 << 20)
    if not child:
        time.sleep(1.0)
        os._exit(0)
    os.waitpid(child, 0)
    return [row("both", 1.0, "")]

print(json.dumps(measure(parent, "two")))
"""


def test_memory_of_descendants_counts() -> None:
    # In a small process: copies of this one have all of its memory in common.
    done = subprocess.run(
        [sys.executable, "-c", TWO_OF_150_MB], capture_output=True, text=True, check=True, cwd=ROOT
    )
    (found,) = json.loads(done.stdout)
    assert 290 < found["peak_mb"] < 350


def test_a_failure_says_what_failed() -> None:
    def fail() -> list[dict]:
        raise ValueError("no such sound")

    with pytest.raises(RuntimeError, match=r"(?s)reading: .*no such sound"):
        measure(fail, "reading")


def test_a_killed_process_is_a_failure() -> None:
    with pytest.raises(RuntimeError, match="status 9 and said nothing"):
        measure(lambda: os.kill(os.getpid(), 9) or [], "killed")


def test_figures_have_three_digits() -> None:
    assert rounded(0.0123456) == 0.0123
    assert rounded(123.456) == 123.0
    assert rounded(123456.7) == 123457
    assert family(os.getpid())[0] == os.getpid()
    assert repeated_s(lambda: time.sleep(0.01), rounds=2) >= 0.01


def test_tables_name_what_is_missing_and_what_is_worse() -> None:
    rows = [row("a | b", 1234.5, "clips/s", "alone", peak_mb=77)]
    parts = {
        "spectrograms": {"rows": rows, "minutes": 0.5, "load_before": 0.1},
        "growth": {"rows": [GROWN], "minutes": 1},
    }
    text = markdown({"cores": 2}, parts)
    assert "| cores | 2 |" in text
    assert "| 1,234 | clips/s | 77 | alone |" in text
    assert (
        "| open | 1 ms | 20 ms | 600 ms | 1.40 | 1 | 90 → 120 | worse than it should be |" in text
    )
    assert "## Training\n\nNot measured." in text


def test_growth_is_drawn(tmp_path: Path) -> None:
    draw_growth([GROWN, {**GROWN, "what": "rank all songs for one query: x"}], tmp_path / "g.png")
    assert (tmp_path / "g.png").read_bytes().startswith(b"\x89PNG")


def test_a_stopped_run_goes_on_with_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    measured = []

    def pretend(name: str, scale: str, out: Path, threads: int) -> int:
        measured.append(name)
        if name == "training" and measured.count(name) == 1:
            return 1
        value = {"part": name, "scale": scale, "minutes": 0.1, "rows": [row(name, 1.0, "s")]}
        (out / f"{name}.json").write_text(json.dumps(value))
        return 0

    monkeypatch.setattr(performance, "run_part", pretend)
    monkeypatch.setattr(performance, "facts", lambda: {"cores": 2})
    (tmp_path / "index.json").write_text('{"half": ')  # of a machine that lost power
    arguments = ["scale=quick", "parts=[index,training,ranking]", f"out={tmp_path}"]
    with pytest.raises(SystemExit, match="failed: training"):
        performance.main(arguments)
    assert set(finished(tmp_path, "quick")) == {"index", "ranking"}
    assert not finished(tmp_path, "full")
    performance.main(arguments)
    assert measured == ["index", "training", "ranking", "training"]
    report = json.loads((tmp_path / "performance.json").read_text())
    assert list(report["parts"]) == ["training", "ranking", "index"]
    assert "| training | 1.0 | s |" in (tmp_path / "performance.md").read_text()


def test_unknown_parts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="ranking"):
        performance.main(["parts=[rankin]", f"out={tmp_path}"])


def test_a_part_from_end_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(performance, "facts", lambda: {"cores": 2})
    performance.main(["scale=quick", "parts=[index]", f"out={tmp_path}"])
    rows = finished(tmp_path, "quick")["index"]["rows"]
    assert [r["what"] for r in rows] == [
        "index of 2,000 built",
        "query among 2,000",
        "index of 2,000 on disk",
    ]
    assert all(r["peak_mb"] > 20 for r in rows)
    assert "recall at 10: 1.000" in (tmp_path / "performance.md").read_text()
