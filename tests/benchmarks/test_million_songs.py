"""The arithmetic of a plan, by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.measuring import row
from benchmarks.million_songs import ASSUMED, Rates, main, plan, rates_of
from mashnet.errors import ConfigError
from mashnet.files import write_json

PARTS = {
    "separation": [row("htdemucs", 0.5, "s of sound/s"), row("madmom", 7.0, "s of sound/s")],
    "pipeline": [
        row(f"{stage}, 1 worker", 900.0, "songs/hour")
        for stage in ("mashupdb", "mixes", "loops", "embeddings")
    ],
    "index": [
        row("index of 20,000 built", 1.0, "s"),
        row("query among 20,000", 2.0, "ms"),
        row("index of 20,000 on disk", 60.0, "MB"),
        row("index of 100,000 built", 20.0, "s"),
        row("query among 100,000", 5.0, "ms"),
        row("index of 100,000 on disk", 100.0, "MB"),
    ],
}


def results() -> dict:
    return {name: {"rows": rows} for name, rows in PARTS.items()}


def test_rates_are_per_second_of_song_and_of_the_largest_index() -> None:
    rates = rates_of(results(), song_s=40.0)
    # 900 songs of 40 s an hour: 4 s of a core per song, 0.1 s per second.
    assert rates.mixes_s == pytest.approx(0.1)
    assert rates.query_ms == 5.0
    assert rates.index_bytes == pytest.approx(100 * 2**20 / 100_000)
    assert rates.index_build_s == pytest.approx(2e-4)


def test_hours_storage_and_money() -> None:
    rates = Rates(0.5, 0.1, 0.2, 0.05, 0.01, 5.0, 1000.0, 2e-4)
    assumed = {**ASSUMED, "songs": 3600, "song_s": 100.0, "cores": 10, "gpus": 2}
    assumed |= {"vcpu_hour_usd": 0.1, "gpu_hour_usd": 1.0, "gpu_htdemucs_s_per_s": 50.0}
    found = plan(rates, assumed)
    work = {row["stage"]: row for row in found["work"]}
    # 360,000 s of sound: 200 hours of a core at half its speed, 20 USD.
    assert work["separate on CPUs"]["core hours"] == 200
    assert work["separate on CPUs"]["USD"] == 20
    assert work["mixes (stretching)"]["core hours"] == 20
    assert work["or: separate on GPUs"]["USD"] == 2  # 7,200 s
    kept = {row["what"]: row["TB"] for row in found["storage"]}
    # Four stems of 100 s, 32,000 bytes a second.
    assert kept["waveforms for stems, 16 kHz"] == pytest.approx(
        3600 * 4 * 100 * 32e3 / 1e12, rel=0.01
    )
    assert kept["index"] == pytest.approx(3600 * 4 * 1000 / 1e12, rel=0.01)
    on_cpus, on_gpus = found["total"]
    # 200 + 10 + 20 + 5 + 1 hours of cores and a little for the index; then 36 and 2 of GPUs.
    assert on_cpus["machines, USD"] == pytest.approx(23.6, rel=0.01)
    assert on_gpus["machines, USD"] == pytest.approx(5.6, rel=0.01)
    assert on_gpus["days"] == pytest.approx(3.6 / 24, rel=0.01)


def test_the_command_writes_tables(tmp_path: Path) -> None:
    for name, rows in PARTS.items():
        value = {"part": name, "scale": "full", "minutes": 1.0, "rows": rows}
        write_json(tmp_path / f"{name}.json", value)
    main([f"figures={tmp_path}", "songs=1000"])
    text = (tmp_path / "million_songs.md").read_text("utf-8")
    assert "| songs | 1,000 |" in text
    assert "| separate on CPUs | 117.0 |" in text  # 210,000 s at half its speed


def test_a_missing_figure_says_how_to_measure_it() -> None:
    parts = results()
    del parts["pipeline"]
    with pytest.raises(ConfigError, match=r"parts=\[pipeline\]"):
        rates_of(parts, song_s=40.0)
