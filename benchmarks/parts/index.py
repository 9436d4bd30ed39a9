"""An index of embeddings: how long it takes to build, and how fast it answers, on one core."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from benchmarks import retrieval
from benchmarks.measuring import Row, measure, row

SIZES = {"quick": (2000,), "full": (20_000, 100_000)}
DIMENSIONS = {"quick": 32, "full": 768}


def measure_part(scale: str, folder: Path) -> list[Row]:
    """Measure libraries of some sizes: the first is searched exactly, more than 50,000 are not."""
    rows: list[Row] = []
    for count in SIZES[scale]:
        work = folder / f"index of {count}"
        work.mkdir(parents=True, exist_ok=True)
        options: Any = OmegaConf.create({"n": count, "d": DIMENSIONS[scale], "queries": 200})
        rows += measure(partial(_build, work, options), f"index of {count}")
        rows += measure(partial(_search, work, options), f"search among {count}")
        shutil.rmtree(work)
    return rows


def _build(folder: Path, options: Any) -> list[Row]:
    import faiss

    faiss.omp_set_num_threads(1)
    made = retrieval.Clustered(options.n, options.d)
    retrieval.prepare(folder, made, options)
    facts = json.loads((folder / "index.json").read_text("utf-8"))
    found = row(f"index of {options.n:,} built", facts["build_s"], "s", f"{options.d} dimensions")
    # Drawing the vectors and finding true neighbours took memory, too, and more of it.
    return [found]


def _search(folder: Path, options: Any) -> list[Row]:
    import faiss

    faiss.omp_set_num_threads(1)
    made = retrieval.Clustered(options.n, options.d)
    queries, truth = retrieval.prepare(folder, made, options)
    found = retrieval.measure(folder, queries, truth)
    note = f"recall at 10: {found['recall_at_10']:.3f}; 95th percentile {found['ms_95th']} ms"
    megabytes = found["index_mb"]
    return [
        row(f"query among {options.n:,}", found["ms_per_query"], "ms", note),
        row(f"index of {options.n:,} on disk", megabytes, "MB", f"{options.d} dimensions"),
    ]
