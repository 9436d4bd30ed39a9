"""Measures mashnet on this machine: python -m benchmarks [scale=quick|full] [parts=[ranking,…]].

    out=results/performance   where <part>.json, performance.json, performance.md and growth.png go
    threads=1                 of numerical libraries; training takes all cores whatever this says

Each part runs in a process of its own, and its result is written at once: a run that was stopped
goes on with the parts that are missing. A part that is named in `parts` is measured anew only when
its file is deleted. scale=quick takes small sizes, to see that all of it runs; its figures mean
little. docs/performance.md explains the figures.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from benchmarks.machine import facts
from benchmarks.parts import PARTS
from benchmarks.performance_tables import PLOT, draw_growth, finished, markdown
from benchmarks.results import publish
from mashnet.errors import require_one_of
from mashnet.files import write_json

DEFAULTS = {
    "scale": "full",
    "parts": list(PARTS),
    "out": "results/performance",
    "threads": 1,
}


def run_part(name: str, scale: str, out: Path, threads: int) -> int:
    """Measure a part in a process of its own; return its exit status."""
    count = str(threads)
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": count,
        "OPENBLAS_NUM_THREADS": count,
        "MKL_NUM_THREADS": count,
        "OMP_WAIT_POLICY": "PASSIVE",
    }
    load = round(os.getloadavg()[0], 2)
    folder, file = out / "work", out / f"{name}.json"
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "benchmarks.run_part", name, scale, str(folder), str(file)]
    status = subprocess.run(command, env=environment, check=False).returncode
    found = finished(out, scale).get(name)
    if status == 0 and found:
        write_json(file, {**found, "load_before": load})
    return status


def main(arguments: list[str]) -> None:
    """Measure what is missing, write tables."""
    options: Any = OmegaConf.merge(OmegaConf.create(DEFAULTS), OmegaConf.from_cli(arguments))
    scale = require_one_of("scale", options.scale, ("quick", "full"))
    for name in options.parts:
        require_one_of("parts", name, PARTS)
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    machine = {**facts(), "threads": options.threads, "scale": scale}
    failed = []
    for name in options.parts:
        if name in finished(out, scale):
            print(f"{name}: there already ({out / f'{name}.json'})", file=sys.stderr)
            continue
        print(f"{name} …", file=sys.stderr, flush=True)
        began_s = time.perf_counter()
        if run_part(name, scale, out, options.threads):
            failed.append(name)
        print(f"{name}: {(time.perf_counter() - began_s) / 60:.1f} min", file=sys.stderr)
    parts = finished(out, scale)
    if "growth" in parts:
        draw_growth(parts["growth"]["rows"], out / PLOT)
    results = {"machine": machine, "parts": parts}
    publish(out, "performance", results, markdown(machine, parts))
    if failed:
        sys.exit(f"failed: {', '.join(failed)}; their errors stand above")


if __name__ == "__main__":
    main(sys.argv[1:])
