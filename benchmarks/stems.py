"""How fast chunks of stems are read: from samples on disk, by seeking in FLAC, by whole files.

python -m benchmarks.stems [songs=6] [song_s=180] [batch=256] [workers=0] [rounds=3] [folder=…]

A chunk is 8 s at 16 kHz of a context and a target, with gains and noise, drawn from songs of four
stems (FLAC, 44.1 kHz, stereo). All three ways draw the same chunks in the same way and differ only
in how a stretch of a stem is fetched. The loader's figure is of whole batches through a DataLoader
with `workers` processes (0: the process that trains); the other two are of single chunks in one
process. They take turns, and the best round of each counts, so that other work on the machine is
fair to all. The files are in the system's cache: what is measured is processor time, not the disk.

Prints one JSON line: chunks per second, processor milliseconds per chunk, and the seconds that the
samples took to be made once. `folder` keeps the songs for the next run.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import OmegaConf
from torch.utils.data import DataLoader

from mashnet.audio.io import read_audio, write_flac
from mashnet.data.loaders import no_collation
from mashnet.data.mashupdb import MashupDB
from mashnet.data.song_batches import SongBatches
from mashnet.data.stems.clips import stem_clips
from mashnet.data.stems.view import Augmentation, StemChunks, blocks_of
from mashnet.data.stems.wave_store import WaveStore
from mashnet.tasks.allocator import keep_freed_memory

RATE, FILE_RATE, STEMS = 16_000, 44_100, 4
CHUNK_S = (8.0, 8.0)
SINGLE = {"seeking": 24, "whole_files": 3}  # chunks per round


class Seeking:
    """Fetches a stretch of a stem from its FLAC, as `WaveStore` does from its samples."""

    def __init__(self, database: MashupDB) -> None:
        self.database = database

    def read(self, stem_id: str, start: int, length: int) -> np.ndarray:
        """Return the stretch, silence beyond the stem's end."""
        samples = self.decoded(self.database.audio_path(stem_id), start, length)
        return np.pad(samples, (0, length - len(samples)))

    def decoded(self, path: Path, start: int, length: int) -> np.ndarray:
        """Decode and resample the stretch only."""
        start_s, duration_s = start / RATE, length / RATE
        audio, _ = read_audio(
            path, sample_rate=RATE, mono=True, start_s=start_s, duration_s=duration_s
        )
        return audio[0][:length]


class WholeFiles(Seeking):
    """Fetches a stretch of a stem by decoding all of it."""

    def decoded(self, path: Path, start: int, length: int) -> np.ndarray:
        """Decode and resample the whole stem, then cut."""
        audio, _ = read_audio(path, sample_rate=RATE, mono=True)
        return audio[0][start : start + length]


def write_songs(root: Path, songs: int, song_s: float) -> None:
    """Write a database of tones with a beat and some noise: it compresses about as music does."""
    database, clips, stems = MashupDB(root), [], []
    time_s = np.arange(round(song_s * FILE_RATE)) / FILE_RATE
    for song in range(songs):
        clips.append({"clip_id": f"{song}", "song_id": f"{song}", "title": "", "split": "train"})
        for stem in range(STEMS):
            random = np.random.default_rng([song, stem])
            wave = np.sin(2 * np.pi * random.uniform(80, 4000) * time_s) * np.exp(-time_s % 0.5)
            noise = random.standard_normal((2, len(time_s)))
            path = f"audio/{song}/{stem}.flac"
            write_flac(root / path, (0.2 * wave + 0.02 * noise).astype(np.float32), FILE_RATE)
            row = {"clip_id": f"{song}", "stem_id": f"{song}-{stem}", "label": "", "path": path}
            stems.append(row)
    database.write_table("clips", clips)
    database.write_table("stems", stems)
    database.update_manifest()


def timed(work: Callable[[], int]) -> tuple[float, float]:
    """Return wall and processor seconds per chunk."""
    wall, cpu = time.perf_counter(), time.process_time()
    count = work()
    return (time.perf_counter() - wall) / count, (time.process_time() - cpu) / count


def measure(root: Path, options: Any) -> dict[str, Any]:
    """Let the three ways take turns."""
    if not (root / "manifest.json").is_file():
        write_songs(root, options.songs, options.song_s)
    database = MashupDB.open(root)
    waves = WaveStore(database, RATE)
    began_s = time.perf_counter()
    made = waves.build(database.stems["stem_id"].to_list())
    build_s = time.perf_counter() - began_s
    clips, _ = stem_clips(database, waves, "train", blocks=blocks_of(CHUNK_S), silence_db=-60)
    per_clip = -(-2 * max(1, options.workers) * options.batch // len(clips))
    batches = SongBatches(
        [clip.song for clip in clips],
        batch_size=options.batch,
        per_item=per_clip,
        lengths=blocks_of(CHUNK_S),
        seed=0,
    )
    noisy = Augmentation(gain_db=6.0, noise_db=-20.0)

    def chunks(source: Any) -> StemChunks:
        return StemChunks(clips, source, target="stem", seed=0, augmentation=noisy)

    loader = DataLoader(
        chunks(waves),
        batch_sampler=batches,
        collate_fn=no_collation,
        num_workers=options.workers,
        persistent_workers=options.workers > 0,
    )
    keys = [key for batch in batches for key in batch]

    def single(source: Any, count: int) -> Callable[[], int]:
        dataset = chunks(source)
        return lambda: sum(len(dataset[key]) > 0 for key in keys[:count])

    ways: dict[str, Callable[[], int]] = {
        "loader": lambda: sum(len(batch["song"]) for batch in loader),
        "seeking": single(Seeking(database), SINGLE["seeking"]),
        "whole_files": single(WholeFiles(database), SINGLE["whole_files"]),
    }
    timed(ways["loader"])  # processes start, files are mapped
    rounds = [{name: timed(work) for name, work in ways.items()} for _ in range(options.rounds)]
    wall = {name: min(r[name][0] for r in rounds) for name in ways}
    cpu = {name: min(r[name][1] for r in rounds) for name in ways}
    if options.workers:
        cpu.pop("loader")  # other processes' time is not seen from here
    return {
        "chunks_per_s": {name: round(1 / seconds, 1) for name, seconds in wall.items()},
        "cpu_ms_per_chunk": {name: round(1e3 * seconds, 2) for name, seconds in cpu.items()},
        "times_as_fast_as_seeking": round(wall["seeking"] / wall["loader"], 1),
        "times_as_fast_as_whole_files": round(wall["whole_files"] / wall["loader"], 1),
        "build_s": round(build_s, 1) if made else None,
    }


def main(arguments: list[str]) -> None:
    """Measure and print."""
    defaults = {"songs": 6, "song_s": 180, "batch": 256, "workers": 0, "rounds": 3, "folder": None}
    options: Any = OmegaConf.merge(defaults, OmegaConf.from_cli(arguments))
    keep_freed_memory()  # as training on a CPU does
    with tempfile.TemporaryDirectory() as temporary:
        result = measure(Path(options.folder or temporary), options)
    what = {name: options[name] for name in ("songs", "song_s", "batch", "workers")}
    print(json.dumps({**what, **result}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
