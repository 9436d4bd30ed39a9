"""Songs per hour of every stage, with one worker, with two, and on Ray.

A stage starts processes and loads networks before it begins, which a long run does once and a short
one pays for dearly. So each is run with few songs and with more, in fresh processes and into fresh
folders; songs per hour are those of the difference, and what remains is given as its start. One
worker and two take turns, and the quicker of two rounds counts: other work on the machine lasts for
minutes, and would fall upon one of them alone.
"""

from __future__ import annotations

import shutil
import time
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from benchmarks.measuring import Row, end_descendants, measure, row
from benchmarks.music import library, write_songs
from mashnet.commands.hydra_program import CONFIGS, compose

SONG_S = 32.0
ROUNDS = {"quick": 1, "full": 2}
SONGS = {"quick": (1, 2), "full": (2, 12)}
CHECKPOINT = Path("checkpoints/contrastive")
MIXES = "{original: 1, matched: 2, unmatched_key: 1, unmatched_tempo: 1, unmatched_key_tempo: 1}"
# Stage → its settings; the database comes with the run.
STAGES = {
    "mashupdb": ["source=stems", "split.val=0", "split.test=0", "source.use_annotations=false"],
    "mixes": [f"per_seed.train={MIXES}", "duration.min_s=15", "tempo_ratio=[0.5,2.0]"],
    "loops": [],
    "embeddings": [f"checkpoint={CHECKPOINT}"],
}
WAYS = {
    "1 worker": ["workers=1"],
    "2 workers": ["workers=2"],
    "2 workers on Ray": ["workers=2", "executor=ray"],
}
ON_RAY = ("mashupdb",)


def measure_part(scale: str, folder: Path) -> list[Row]:
    """Measure every stage in processes of its own."""
    work = folder / "pipeline"
    shutil.rmtree(work, ignore_errors=True)
    measure(partial(_prepare, folder, work, SONGS[scale]), "songs")
    rows: list[Row] = []
    for stage in STAGES:
        if stage == "embeddings" and not CHECKPOINT.is_dir():
            continue
        ways = [way for way in WAYS if way != "2 workers on Ray" or stage in ON_RAY]
        rows += _rows(stage, ways, _quickest(stage, ways, work, scale), SONGS[scale])
    shutil.rmtree(work, ignore_errors=True)
    return rows


def _quickest(stage: str, ways: list[str], work: Path, scale: str) -> dict[tuple[str, int], Row]:
    """Return the quickest run of each way with each number of songs."""
    found: dict[tuple[str, int], Row] = {}
    for _, way, count in product(range(ROUNDS[scale]), ways, SONGS[scale]):
        work_of_it = partial(_run, stage, WAYS[way], work, count, way)
        run = measure(work_of_it, f"{stage}, {way}, {count}")[0]
        known = found.get((way, count), run)
        found[way, count] = min(run, known, key=lambda r: r["figure_s"])
    return found


def _rows(
    stage: str, ways: list[str], runs: dict[tuple[str, int], Row], songs: tuple[int, int]
) -> list[Row]:
    few, many = songs
    rows: list[Row] = []
    one_worker = 0.0
    for way in ways:
        short_s, long_s = (runs[way, count]["figure_s"] for count in songs)
        song_s = (long_s - short_s) / (many - few)
        if song_s <= 0:
            raise RuntimeError(f"{stage}, {way}: {many} songs took no longer than {few}")
        per_hour = 3600 / song_s
        one_worker = one_worker or per_hour
        note = f"{many} songs of {SONG_S:g} s in {long_s:.1f} s, {few} in {short_s:.1f} s"
        if rows:
            note += f"; {per_hour / one_worker:.2f} × one worker"
        if long_s < 2 * short_s:
            note += "; too little beside the start to be exact"
        found = row(f"{stage}, {way}", per_hour, "songs/hour", note, song_s=song_s)
        found |= {name: runs[way, many][name] for name in ("seconds", "cpu_s", "peak_mb", "bytes")}
        if rows:
            found["times_one_worker"] = round(per_hour / one_worker, 2)
        rows.append(found)
    return rows


def _prepare(folder: Path, work: Path, counts: tuple[int, ...]) -> list[Row]:
    database = library(folder)
    for count in counts:
        write_songs(database, work / f"{count} songs", count, duration_s=SONG_S)
    return []


def _run(stage: str, settings: list[str], work: Path, count: int, way: str) -> list[Row]:
    """Run a stage; stages after the first begin with what the first made."""
    made = work / f"library of {count}"
    root = work / f"{stage}, {way}, {count}"
    if stage == "mashupdb":
        where = [f"source.root='{work / f'{count} songs'}'", f"out='{root}'"]
    else:
        shutil.copytree(made, root)
        where = [f"db='{root}'"]
    before = _bytes(root)
    config = compose(stage, [*STAGES[stage], *where, *settings], CONFIGS / "pipeline")
    began_s = time.perf_counter()
    _begin(stage, config)
    seconds = time.perf_counter() - began_s
    end_descendants()  # of Ray its servers, which would go on until this process ends
    grown = _bytes(root) - before
    if stage == "mashupdb" and not made.exists():
        shutil.copytree(root, made)
    shutil.rmtree(root)
    return [{"figure_s": seconds, "bytes": grown / count}]


def _begin(stage: str, config: Any) -> None:
    # Imported here: a stage's start is its own.
    if stage == "mashupdb":
        from data_pipelines.mashupdb.stage import build

        build(config)
    elif stage == "mixes":
        from data_pipelines.mixes import stage as mixes

        mixes.make(config)
    elif stage == "loops":
        from data_pipelines.loops import stage as loops

        loops.make(config)
    else:
        from data_pipelines.embeddings import stage as embeddings

        embeddings.make(config)


def _bytes(root: Path) -> int:
    return sum(path.stat().st_size for path in root.rglob("*") if path.is_file())
