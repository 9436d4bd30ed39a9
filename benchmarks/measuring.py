"""Runs a piece of work in a process of its own, so that its peak memory is nobody else's.

The process begins as a copy of this one, which has imported what the work needs and done nothing
with it: libraries whose threads have begun (polars, once it has read a table) would wait for ever
in a copy, where there are none. Peak memory is the larger of two figures: the largest resident set
of one process (the kernel's), and the sum over the process and its descendants of what each has to
itself and its share of what they have in common (PSS), looked at five times a second.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

_LOOK_EVERY_S = 0.2

Row = dict[str, Any]
"""what, figure, unit, note; then seconds, cpu_s and peak_mb of the process that measured it."""


def row(what: str, figure: float, unit: str, note: str = "", **facts: Any) -> Row:
    """Return a row of a table; three significant digits are what repetition bears out."""
    return {"what": what, "figure": rounded(figure), "unit": unit, "note": note, **facts}


def rounded(value: float) -> float:
    """Return a number with three significant digits; whole numbers above 1000 stay whole."""
    short = float(f"{value:.3g}")
    return round(value) if abs(value) >= 1000 else short


def measure(work: Callable[[], list[Row]], label: str) -> list[Row]:
    """Run `work` in a process of its own; add what the process took to each of its rows.

    Args:
        work: returns plain values.
        label: what stands on the console meanwhile.

    Raises:
        RuntimeError: if it fails, with the traceback.
    """
    print(f"  {label}", file=sys.stderr, flush=True)
    sys.stdout.flush()
    reading, writing = os.pipe()
    began_s = time.perf_counter()
    child = os.fork()
    if not child:
        os.close(reading)
        _work_and_end(work, writing)
    os.close(writing)
    memory = _Watch(child)
    memory.start()
    with os.fdopen(reading, "rb") as file:
        answer = file.read()
    _, status, usage = os.wait4(child, 0)
    memory.end()
    try:
        result = json.loads(answer)
    except ValueError:
        result = {"error": f"the process ended with status {status} and said nothing"}
    if "error" in result:
        raise RuntimeError(f"{label}: {result['error']}")
    facts = {
        "seconds": round(time.perf_counter() - began_s, 1),
        "cpu_s": round(usage.ru_utime + usage.ru_stime, 1),
        "peak_mb": round(max(usage.ru_maxrss / 1024, memory.peak_kib / 1024)),
    }
    return [{**found, **facts} for found in result["rows"]]


def _work_and_end(work: Callable[[], list[Row]], writing: int) -> None:
    """Write what the work returns into a pipe and end this process."""
    try:
        # What programs print belongs to no table.
        os.dup2(sys.stderr.fileno(), 1)
        answer: Mapping[str, Any] = {"rows": work()}
    except BaseException:
        answer = {"error": traceback.format_exc()}
    with os.fdopen(writing, "wb") as file:
        file.write(json.dumps(answer).encode())
    sys.stderr.flush()
    os._exit(0)


class _Watch(threading.Thread):
    """Looks at the memory of a process and its descendants now and then."""

    def __init__(self, process: int) -> None:
        super().__init__(daemon=True)
        self.process, self.peak_kib = process, 0
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(_LOOK_EVERY_S):
            self.peak_kib = max(self.peak_kib, sum(map(pss_kib, family(self.process))))

    def end(self) -> None:
        self._ended.set()
        self.join()


def family(process: int) -> list[int]:
    """Return a process and its descendants; what ends meanwhile is left out."""
    found = [process]
    for one in found:  # grows while it is read
        try:
            for listed in Path(f"/proc/{one}/task").glob("*/children"):
                found += map(int, listed.read_text().split())
        except OSError:
            continue
    return found


def pss_kib(process: int) -> int:
    """Return a process's memory, its share of what is common; 0 where the system does not say."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def end_descendants() -> None:
    """End what this process has started and left behind."""
    for process in family(os.getpid())[1:]:
        try:
            os.kill(process, signal.SIGTERM)
        except OSError:
            continue


def repeated_s(work: Callable[[], object], *, rounds: int = 3, least_s: float = 0.0) -> float:
    """Return the seconds of the best of some rounds, after one that does not count.

    Args:
        work: a round.
        rounds: at least one.
        least_s: goes on beyond `rounds` until this much time has passed.
    """
    work()
    began_s, best_s, done = time.perf_counter(), float("inf"), 0
    while done < rounds or time.perf_counter() - began_s < least_s:
        start_s = time.perf_counter()
        work()
        best_s = min(best_s, time.perf_counter() - start_s)
        done += 1
    return best_s
