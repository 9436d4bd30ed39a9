"""Searches a library of a million embeddings on one core: how fast, how well, how large.

python -m benchmarks.retrieval [n=1000000] [d=768] [kind=clustered|uniform] [queries=200] [folder=…]

clustered: what embeddings of a library look like. Few directions carry most of the variance (the
standard deviation along axis i is proportional to 1/√i, in a random rotation), and a vector is the
sum of a style (400 vectors each), a song (4 vectors each) and something of its own, weighed
0.7 : 0.5 : 0.5, scaled to unit length. Half of the queries are further vectors of songs in the
library, half are of other songs in its styles.
uniform: vectors and queries at random on the sphere. Nothing lies near anything, so that no index
can leave anything out; this is the worst case.

The vectors lie in a file, as a library's do. Recall is of the 10 nearest by comparing everything.
Prints one JSON line. cpu_ms does not count what other programs on the machine took. Vectors, true
neighbours and index are kept in `folder` if it is given, and found there by the next run, which
then only searches.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from omegaconf import OmegaConf

from mashnet.errors import require_one_of
from mashnet.files import write_json
from mashnet.library.index import VectorIndex

CHUNK = 1 << 16
PER_STYLE, PER_SONG = 400, 4


class Clustered:
    """Draws vectors of styles, songs and their own."""

    def __init__(self, count: int, dimensions: int) -> None:
        random = np.random.default_rng(0)
        spread = np.arange(1, dimensions + 1) ** -0.5
        self.spread = (spread / np.linalg.norm(spread)).astype(np.float32)
        turn, _ = np.linalg.qr(random.standard_normal((dimensions, dimensions)))
        self.turn = turn.astype(np.float32)
        self.styles = 0.7 * self._spread(random, max(1, count // PER_STYLE))

    def vectors(self, seed: int, count: int, *, own_seed: int) -> np.ndarray:
        """Return unit vectors; `seed` says which songs, `own_seed` which vectors of them."""
        random = np.random.default_rng(seed)
        num_songs = -(-count // PER_SONG)
        songs = self.styles[random.integers(len(self.styles), size=num_songs)]
        songs = songs + 0.5 * self._spread(random, num_songs)
        own = 0.5 * self._spread(np.random.default_rng([seed, own_seed]), count)
        return unit(np.repeat(songs, PER_SONG, axis=0)[:count] + own) @ self.turn

    def _spread(self, random: np.random.Generator, count: int) -> np.ndarray:
        return random.standard_normal((count, len(self.spread)), dtype=np.float32) * self.spread


class Uniform:
    """Draws unit vectors in all directions alike."""

    def __init__(self, count: int, dimensions: int) -> None:
        self.dimensions = dimensions

    def vectors(self, seed: int, count: int, *, own_seed: int) -> np.ndarray:
        """Return unit vectors."""
        random = np.random.default_rng([seed, own_seed])
        return unit(random.standard_normal((count, self.dimensions), dtype=np.float32))


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def exact_neighbours(chunks: list[np.ndarray], queries: np.ndarray, k: int) -> np.ndarray:
    """Return the positions of the k nearest of each query, (queries, k), in no order."""
    scores = np.full((len(queries), k), -np.inf, np.float32)
    positions = np.full((len(queries), k), -1)
    start = 0
    for chunk in chunks:
        scores = np.concatenate([scores, queries @ chunk.T], axis=1)
        here = np.broadcast_to(np.arange(start, start + len(chunk)), (len(queries), len(chunk)))
        positions = np.concatenate([positions, here], axis=1)
        best = np.argpartition(scores, -k, axis=1)[:, -k:]
        scores = np.take_along_axis(scores, best, axis=1)
        positions = np.take_along_axis(positions, best, axis=1)
        start += len(chunk)
    return positions


def prepare(folder: Path, made: Any, options: Any) -> tuple[np.ndarray, np.ndarray]:
    """Write vectors.npy, truth.npy and index.faiss; return queries and their true neighbours."""
    half = options.queries // 2
    # Drawn as the first vectors of the library were: their songs are the same.
    same = made.vectors(0, min(CHUNK, options.n), own_seed=1)[::PER_SONG][:half]
    queries = np.concatenate([same, made.vectors(1, half, own_seed=0)])
    if (folder / "index.json").is_file():
        return queries, np.load(folder / "truth.npy", allow_pickle=False)
    path = folder / "vectors.npy"
    stored = np.lib.format.open_memmap(path, "w+", np.float32, (options.n, options.d))
    for start in range(0, options.n, CHUNK):
        count = min(CHUNK, options.n - start)
        stored[start : start + count] = made.vectors(start, count, own_seed=0)
    stored.flush()
    vectors = np.load(path, mmap_mode="r", allow_pickle=False)
    chunks = [vectors[start : start + CHUNK] for start in range(0, options.n, CHUNK)]
    np.save(folder / "truth.npy", exact_neighbours(chunks, queries, 10))
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    index = VectorIndex.build(chunks)
    facts = {
        "build_s": round(time.perf_counter() - began_s, 2),
        "build_cpu_s": round(time.process_time() - began_cpu_s),
        "lists": index.measured and index.measured.lists,
        "candidates": index.measured and index.measured.candidates,
        "build_peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10),
        "vectors_mb": round(path.stat().st_size / 2**20),
    }
    index.save(folder / "index.faiss")
    write_json(folder / "index.json", facts)
    return queries, np.load(folder / "truth.npy", allow_pickle=False)


def measure(folder: Path, queries: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    """Search one query after the other, as a user's come."""
    count = len(np.load(folder / "vectors.npy", mmap_mode="r", allow_pickle=False))
    began_s = time.perf_counter()
    index = VectorIndex.load(folder / "index.faiss", queries.shape[1], count)
    load_s = time.perf_counter() - began_s
    index.search(queries, 10)  # a first time, so that the file is in memory
    times_s, cpu_s, found = [], time.process_time(), []
    for query in queries:
        began_s = time.perf_counter()
        found.append(index.search(query[None], 10)[1][0])
        times_s.append(time.perf_counter() - began_s)
    cpu_s = time.process_time() - cpu_s
    recalls = [len(set(a) & set(b)) / 10 for a, b in zip(truth, found, strict=True)]
    half = len(queries) // 2
    return {
        "recall_at_10": round(float(np.mean(recalls)), 4),
        "recall_at_10_same_songs": round(float(np.mean(recalls[:half])), 4),
        "recall_at_10_other_songs": round(float(np.mean(recalls[half:])), 4),
        "ms_per_query": round(1e3 * float(np.mean(times_s)), 2),
        "ms_median": round(1e3 * float(np.median(times_s)), 2),
        "ms_95th": round(1e3 * float(np.quantile(times_s, 0.95)), 2),
        "cpu_ms_per_query": round(1e3 * cpu_s / len(queries), 2),
        "load_s": round(load_s, 2),
        "index_mb": round((folder / "index.faiss").stat().st_size / 2**20),
    }


def main(arguments: list[str]) -> None:
    """Measure and print."""
    defaults = {"n": 1_000_000, "d": 768, "kind": "clustered", "queries": 200, "folder": None}
    options = OmegaConf.merge(defaults, OmegaConf.from_cli(arguments))
    kinds: dict[str, Any] = {"clustered": Clustered, "uniform": Uniform}
    made = kinds[require_one_of("kind", options.kind, kinds)](options.n, options.d)
    faiss.omp_set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(options.folder or temporary)
        folder.mkdir(parents=True, exist_ok=True)
        queries, truth = prepare(folder, made, options)
        what = {"kind": options.kind, "n": options.n, "d": options.d}
        facts = json.loads((folder / "index.json").read_text("utf-8"))
        print(json.dumps(what | measure(folder, queries, truth) | facts), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
