"""Seconds of sound per second of one core, for every engine that is installed."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from benchmarks import stretch
from benchmarks.measuring import Row, measure, row
from mashnet.audio.stretch import ENGINES, require_installed
from mashnet.errors import ConfigError

MOVES = ((1.1, 0), (1.1, 3))  # tempo ratio, semitones
RATE = 44_100


def measure_part(scale: str, folder: Path) -> list[Row]:
    """Measure every engine in a process of its own."""
    rows = []
    for engine in ENGINES:
        try:
            require_installed(engine)
        except ConfigError as error:
            rows.append(row(engine, 0.0, "", f"not measured: {error}"))
            continue
        rows += measure(partial(_engine, engine, scale), engine)
    return rows


def _engine(engine: str, scale: str) -> list[Row]:
    rows = []
    for tempo_ratio, semitones in MOVES:
        found = [
            stretch.measure(engine, RATE, tempo_ratio, semitones)
            for _ in range(1 if scale == "quick" else 2)
        ]
        best = max(float(str(one["audio_s_per_s"])) for one in found)
        what = f"{engine}, tempo × {tempo_ratio}" + (
            f", {semitones:+} semitones" if semitones else ""
        )
        error = f"onsets off by {found[0]['max_abs_ms']} ms at most"
        rows.append(row(what, best, "s of sound/s", f"mono, {RATE} Hz; {error}"))
    return rows
