"""Rendered parts on disk: each is rendered once and read from then on."""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import soxr
from tqdm import tqdm

from mashnet.audio.io import read_audio, write_flac
from mashnet.audio.stretch import DEFAULT_ENGINE, require_installed
from mashnet.data.mashupdb import MashupDB
from mashnet.data.parts import Part
from mashnet.data.recipes import Recipe
from mashnet.data.rendering import UNMOVED, Displacement, RenderedPart, rendered_part
from mashnet.files import content_id, remove_leftovers

# FLAC ends at ±1; sums of stems and stretched peaks reach beyond. A quarter leaves 84 dB.
STORED_GAIN = 0.25
_WORTH_PROCESSES = 16  # parts; fewer are rendered before processes have started


@dataclass(frozen=True)
class StoredPart:
    """A part that is rendered once, at the store's rate, and read from disk from then on."""

    part: RenderedPart
    path: Path
    store_rate: int

    @cached_property
    def part_id(self) -> str:
        """Hash of what is rendered and of the rate it is kept at."""
        return content_id("stored", self.part.part_id, self.store_rate)

    def waveform(self, sample_rate: int) -> np.ndarray:
        """Return mono float32 samples at `sample_rate`, rendering them first if need be."""
        self.render()
        audio, _ = read_audio(self.path)
        samples = audio[0] / STORED_GAIN
        if sample_rate != self.store_rate:
            samples = soxr.resample(samples, self.store_rate, sample_rate)
        return samples.astype(np.float32, copy=False)

    def render(self) -> None:
        """Write the file unless it is there."""
        if self.path.is_file():
            return
        samples = self.part.waveform(self.store_rate)
        # Peaks above 1 / STORED_GAIN make the whole part quieter; clipping would change its sound.
        gain = STORED_GAIN / max(1.0, float(np.abs(samples).max(initial=0.0)) * STORED_GAIN)
        write_flac(self.path, samples[None] * np.float32(gain), self.store_rate)


class PartStore:
    """Rendered parts of one MashupDB, under audio/mixes, one FLAC each."""

    def __init__(self, database: MashupDB) -> None:
        """Take the rate and the engine that `data_pipelines.mixes` wrote into the manifest.

        Raises:
            ConfigError: if the engine is unknown or not installed.
        """
        self.database = database
        settings = database.manifest.get("mixes", {})
        self.sample_rate = int(settings.get("sample_rate", 22050))  # Hz
        self.engine = str(settings.get("engine", DEFAULT_ENGINE))
        require_installed(self.engine)
        self.folder = database.root / "audio" / "mixes" / str(self.sample_rate)

    def part(
        self,
        recipe: Recipe,
        role: str,
        *,
        displacement: Displacement = UNMOVED,
        force: bool = False,
    ) -> StoredPart:
        """Return one role of a recipe; see `rendered_part`. Nothing is rendered yet."""
        rendered = rendered_part(
            self.database,
            recipe,
            role,
            engine=self.engine,
            displacement=displacement,
            force=force,
        )
        return self.kept(rendered)

    def kept(self, part: RenderedPart) -> StoredPart:
        """Return a part that is rendered once and read from this store from then on."""
        part_id = part.part_id
        return StoredPart(part, self.folder / part_id[:2] / f"{part_id}.flac", self.sample_rate)

    def render_all(self, parts: Iterable[Part], *, workers: int | None = None) -> int:
        """Render what is not on disk yet, on all cores; return how many that were.

        A run that is killed is continued by calling it again.
        """
        unique = {p.part_id: p for p in parts if isinstance(p, StoredPart)}
        absent = [p for p in unique.values() if not p.path.is_file()]
        if not absent:
            return 0
        # Parts of the same stems beside each other find them decoded.
        absent.sort(key=lambda p: (p.part.stem_ids, p.part_id))
        remove_leftovers(self.folder)
        workers = workers or len(os.sched_getaffinity(0))
        bar = tqdm(total=len(absent), desc="rendering", unit="part", disable=None)
        if workers == 1 or len(absent) < _WORTH_PROCESSES:
            for part in absent:
                part.render()
                bar.update()
        else:
            # Processes, not threads: the engine is fed in small blocks, between which threads
            # wait for each other (measured: two threads use 1.05 cores).
            pool = ProcessPoolExecutor(workers, mp_context=get_context("forkserver"))
            try:
                for _ in pool.map(StoredPart.render, absent, chunksize=4):
                    bar.update()
            finally:
                pool.shutdown(cancel_futures=True)  # after Ctrl-C or an error, only what has begun
        bar.close()
        return len(absent)
