"""How the cost of what is done with a whole library grows with it, and whether it should."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

from benchmarks.growth_fit import fit, is_worse
from benchmarks.library_costs import COSTS
from benchmarks.measuring import Row, measure, repeated_s, row
from benchmarks.synthetic_library import synthetic_library

SIZES = {"quick": (10, 20), "full": (10, 30, 100, 300, 1000)}
LONG_S = 1.0  # what takes longer is not done again


def measure_part(scale: str, folder: Path) -> list[Row]:
    """Measure every cost at every size, each in a process of its own."""
    work = folder / "growth"
    shutil.rmtree(work, ignore_errors=True)
    sizes = SIZES[scale]
    for songs in sizes:
        measure(partial(_make, work / str(songs), songs), f"library of {songs}")
    rows = [_grown(what, work, sizes) for what in COSTS]
    shutil.rmtree(work)
    return rows


def _grown(what: str, work: Path, sizes: tuple[int, ...]) -> Row:
    expected, _ = COSTS[what]
    runs = [
        measure(partial(_time, what, work / str(songs), songs), f"{what}, {songs}")[0]
        for songs in sizes
    ]
    costs = [run["figure_s"] for run in runs]
    law = fit(sizes, costs)
    worse = is_worse(law.exponent, expected)
    note = f"expected {expected:g}; {sizes[-1]} songs: {costs[-1]:.3g} s"
    found = row(what, law.exponent, "exponent", note + ("; WORSE than it should be" * worse))
    found |= {"expected": expected, "worse": worse, "sizes": list(sizes), "costs_s": costs}
    found |= {"peaks_mb": [run["peak_mb"] for run in runs]}
    return found | {name: runs[-1][name] for name in ("seconds", "cpu_s", "peak_mb")}


def _make(root: Path, songs: int) -> list[Row]:
    synthetic_library(root, songs)
    return []


def _time(what: str, root: Path, songs: int) -> list[Row]:
    import time

    _, begin = COSTS[what]
    work = begin(root, songs)
    began_s = time.perf_counter()
    work()  # caches of the database fill up, files are mapped
    first_s = time.perf_counter() - began_s
    if first_s > LONG_S:
        began_s = time.perf_counter()
        work()
        return [{"figure_s": time.perf_counter() - began_s}]
    return [{"figure_s": repeated_s(work, rounds=3)}]
