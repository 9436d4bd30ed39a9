"""Placing without rendering, from 100 songs on: all pairs, and one vocal among all music.

python -m benchmarks.placing library=FOLDER [songs=[100,1000]] [index=[100,1000,10000]] [most=100]
    [out=results/placing] [work=FOLDER] [threads=1]

library is a MashupDB of real music (`python -m data_pipelines.demo` makes one): songs are made of
its clips (benchmarks.synthetic_beats), 61 phrases of 8 bars each. For every number in `songs` all
ordered pairs are judged, features on disk; for every number in `index` the short vectors of so many
songs are indexed and asked by vocals. Vectors of more than 1,000 songs are those of 1,000 plus
normal noise of half their spread in each number: nobody has the music. Writes placing.json and .md.
"""

from __future__ import annotations

import itertools
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import torch
from omegaconf import OmegaConf

from benchmarks.machine import facts
from benchmarks.measuring import Row, measure, row
from benchmarks.results import publish
from benchmarks.synthetic_beats import SyntheticStore, real_clips, synthetic_beats
from mashnet.data.mashupdb import MashupDB
from mashnet.data.phrases.beat_store import BeatStore
from mashnet.data.phrases.frontend import PhraseFrontend
from mashnet.library.index import VectorIndex
from mashnet.library.phrase_index import PhraseIndex, candidates_of
from mashnet.library.phrase_vectors import PhraseRows, PhraseVectors
from mashnet.library.placed_sides import placed_sides
from mashnet.library.placing import best_pairs
from mashnet.models.phrases.placenet import PlaceNet, PlaceNetScorer

DEFAULTS = {
    "library": "???",
    "songs": [100, 1000],
    "index": [100, 1000, 10_000],
    "most": 100,
    "out": "results/placing",
    "work": None,
    "threads": 1,
}
REAL_SONGS = 1000  # whose vectors are computed and not drawn
QUERIES, K = 100, 20
NOISE = 0.5
SEED = 0


def scorer() -> PlaceNetScorer:
    """Return what judges: new weights, which cost as much as trained ones, and no joint head."""
    return PlaceNetScorer(PlaceNet(channels=0), PhraseFrontend(), name="placenet")


def prepared(work: Path, library: str, songs: int) -> Path:
    """Write a library of so many songs with its features, in a process of its own, as all is."""
    root = work / f"songs-{songs}"
    measure(partial(_prepare, root, library, songs), f"{songs:,} songs are made")
    return root


def _prepare(root: Path, library: str, songs: int) -> list[Row]:
    if not (root / "ready").exists():
        database = synthetic_beats(root, songs)
        store = SyntheticStore(database, real_clips(library))
        sides = placed_sides(store, split="all", which="all")
        for _ in store.rows([*sides.guests.values(), *sides.bases.values()]):
            pass
        (root / "ready").touch()
    return []


def pairs(root: Path, most: int) -> list[Row]:
    """Judge all ordered pairs of a library."""
    database = MashupDB.open(root)
    began_s = time.process_time()
    found = best_pairs(database, scorer(), most=most)
    count = len(database.clips)
    took_s = time.process_time() - began_s
    note = f"{count * (count - 1):,} ordered pairs; the best {len(found.pairs)} placed"
    return [row(f"all pairs of {count:,} songs", took_s, "s of one core", note)]


def whole_query(root: Path) -> list[Row]:
    """Ask a library's index with vocals, from phrases to placements."""
    database = MashupDB.open(root)
    began_s = time.process_time()
    index = PhraseIndex(database, scorer())
    made_s = time.process_time() - began_s
    sides = placed_sides(BeatStore(database), split="all", which="all")
    took_ms = []
    for side, heard in itertools.islice(sides.read(list(sides.guests.values())[:QUERIES]), QUERIES):
        assert heard.bars is not None
        bar = int(heard.bars.phrases(8)[0])
        began_s = time.process_time()
        index.search(heard, K, bars=[bar], without=[side.clip_id])
        took_ms.append(1000 * (time.process_time() - began_s))
    note = f"{len(index):,} phrases; 95th percentile {np.quantile(took_ms, 0.95):.1f} ms"
    what = f"a phrase's {K} placements among {len(database.clips):,} songs"
    return [
        row(f"vectors and index of {len(database.clips):,} songs", made_s, "s of one core"),
        row(what, float(np.median(took_ms)), "ms of one core", note),
    ]


def index_of(work: Path, real: Path, songs: int) -> list[Row]:
    """Index the short vectors of so many songs; ask them by vocals of others."""
    vectors, queries = _vectors(work, real, songs)
    began_s = time.process_time()
    index = VectorIndex.build([vectors], asked=queries[QUERIES:])
    built_s = time.process_time() - began_s
    path = work / f"index-{songs}.faiss"
    index.save(path)
    index = VectorIndex.load(path, vectors.shape[1], len(vectors))
    asked = queries[:QUERIES]
    anew = max(2 * K, candidates_of(len(vectors)))
    index.search(asked, K, candidates=anew)  # what lies on disk is read once
    took_ms, found = [], []
    for query in asked:
        began_s = time.process_time()
        found.append(index.search(query[None], K, candidates=anew)[1][0])
        took_ms.append(1000 * (time.process_time() - began_s))
    truth = _nearest(vectors, asked)
    recall = np.mean([len(set(a) & set(b)) / K for a, b in zip(found, truth, strict=True)])
    name = f"{songs:,} songs ({len(vectors):,} phrases, {vectors.shape[1]} numbers)"
    note = f"recall@{K} of the exact search {recall:.3f}; 95th {np.quantile(took_ms, 0.95):.1f} ms"
    size_mb = path.stat().st_size / 2**20
    path.unlink()
    return [
        row(f"query among {name}", float(np.median(took_ms)), "ms of one core", note),
        row(f"index of {songs:,} songs built", built_s, "s of one core"),
        row(f"index of {songs:,} songs on disk", size_mb, "MB"),
    ]


def _vectors(work: Path, real: Path, songs: int) -> tuple[np.ndarray, np.ndarray]:
    """Return short vectors of music, memory-mapped, and those of vocals that ask."""
    sides = placed_sides(BeatStore(MashupDB.open(real)), split="all", which="all")
    made = PhraseVectors(sides, scorer(), 4)
    known = np.concatenate([np.asarray(PhraseRows(block)) for block in made.blocks])
    random = np.random.default_rng(SEED)
    queries = made.asked[random.permutation(len(made.asked))]
    per_song = len(known) // REAL_SONGS
    path = work / f"vectors-{songs}.f32"
    shape = (songs * per_song, known.shape[1])
    vectors = np.memmap(path, np.float32, "w+", shape=shape)
    spread = NOISE * known.std(axis=0)
    for first in range(0, len(vectors), per_song * REAL_SONGS):
        rows = known[: min(len(vectors) - first, per_song * REAL_SONGS)]
        noise = random.standard_normal(rows.shape, np.float32) * spread if first else 0.0
        vectors[first : first + len(rows)] = rows + noise
    return vectors, queries


def _nearest(vectors: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """Return the positions of the K largest inner products, by comparing everything."""
    exact = faiss.IndexFlatIP(vectors.shape[1])
    best = np.full((len(queries), K), -np.inf, np.float32)
    where = np.full((len(queries), K), -1)
    for first, rows in _chunks(vectors):
        exact.reset()
        exact.add(rows)
        scores, positions = exact.search(queries, K)
        both = np.concatenate([best, scores], 1), np.concatenate([where, positions + first], 1)
        order = np.argsort(-both[0], axis=1)[:, :K]
        best, where = (np.take_along_axis(part, order, 1) for part in both)
    return where


def _chunks(vectors: np.ndarray, rows: int = 200_000) -> Iterator[tuple[int, np.ndarray]]:
    for first in range(0, len(vectors), rows):
        yield first, np.ascontiguousarray(vectors[first : first + rows])


def main(arguments: list[str]) -> None:
    """Measure what is asked for, and write tables."""
    options: Any = OmegaConf.create(DEFAULTS)
    OmegaConf.set_struct(options, True)
    options.merge_with(OmegaConf.from_cli(arguments))
    torch.set_num_threads(options.threads)
    faiss.omp_set_num_threads(options.threads)
    work = Path(options.work or tempfile.mkdtemp(prefix="placing-"))
    rows: list[Row] = []
    for songs in options.songs:
        root = prepared(work, options.library, songs)
        rows += measure(partial(pairs, root, options.most), f"all pairs of {songs:,} songs")
        rows += measure(partial(whole_query, root), f"queries among {songs:,} songs")
    if options.index:
        real = prepared(work, options.library, REAL_SONGS)
        for songs in options.index:
            rows += measure(partial(index_of, work, real, songs), f"index of {songs:,} songs")
            (work / f"vectors-{songs}.f32").unlink()
    if options.work is None:
        shutil.rmtree(work)
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    publish(out, "placing", {"machine": facts(), "rows": rows}, _table(rows))


def _table(rows: list[Row]) -> str:
    lines = ["| what | figure | | peak memory, MB | |", "|---|---:|---|---:|---|"]
    for r in rows:
        lines.append(
            f"| {r['what']} | {r['figure']:,} | {r['unit']} | {r['peak_mb']:,} | {r['note']} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main(sys.argv[1:])
