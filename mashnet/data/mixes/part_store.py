"""Rendered parts on disk: each is rendered once and read from then on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import soxr

from mashnet.audio.io import read_audio, write_flac
from mashnet.audio.stretch import DEFAULT_ENGINE, require_installed
from mashnet.data.mashupdb import MashupDB
from mashnet.data.mixes.recipes import Recipe
from mashnet.data.mixes.rendering import UNMOVED, Displacement, RenderedPart, rendered_part
from mashnet.data.parts import Part
from mashnet.errors import AudioError, DatabaseError, MashnetError, StorageError
from mashnet.execution.executor import DIED, Executor
from mashnet.execution.local import LocalExecutor
from mashnet.files import content_id, remove_leftovers
from mashnet.invocation import setting
from mashnet.music.song_facts import SongFacts
from mashnet.storage.contained_paths import inside, place
from mashnet.storage.paths import missing

# FLAC ends at ±1; sums of stems and stretched peaks reach beyond. A quarter leaves 84 dB.
STORED_GAIN = 0.25
DEFAULT_RATE = 22_050  # Hz, of data_pipelines.mixes
_GROUP = 4  # parts that one worker renders after each other


@dataclass(frozen=True)
class StoredPart:
    """A part that is rendered once, at the store's rate, and read from disk from then on."""

    part: RenderedPart
    folder: Path  # of the store
    name: str  # of the file, without .flac
    store_rate: int

    @cached_property
    def path(self) -> Path:
        """Where it lies, or will."""
        return self.folder / self.name[:2] / f"{self.name}.flac"

    @cached_property
    def part_id(self) -> str:
        """Hash of what is rendered and of the rate it is kept at."""
        return content_id("stored", self.part.part_id, self.store_rate)

    @property
    def facts(self) -> SongFacts | None:
        """What is known of the music of what is rendered."""
        return self.part.facts

    def waveform(self, sample_rate: int) -> np.ndarray:
        """Return mono float32 samples at `sample_rate`, rendering them first if need be.

        Raises:
            DatabaseError: if it is a link to a file elsewhere.
        """
        self.render()
        inside(self.folder, f"{self.name[:2]}/{self.name}.flac", f"part {self.name}")
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
        path = place(self.folder, self.name[:2], f"{self.name}.flac")
        write_flac(path, samples[None] * np.float32(gain), self.store_rate)


class PartStore:
    """Rendered parts of one MashupDB, under audio/mixes, one FLAC each."""

    def __init__(self, database: MashupDB) -> None:
        """Take the rate and the engine that `data_pipelines.mixes` wrote into the manifest.

        A database without mixes has no such entry; what it is asked for is rendered as the stage
        would by default.

        Raises:
            ConfigError: if the engine is unknown or not installed.
            DatabaseError: if there are mixes and nobody knows how they are to be rendered.
        """
        self.database = database
        self.sample_rate, self.engine = _settings(database)
        require_installed(self.engine)
        self.folder = database.place("audio", "mixes", str(self.sample_rate))

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
        return StoredPart(part, self.folder, part.part_id, self.sample_rate)

    def render_all(self, parts: Iterable[Part], *, executor: Executor | None = None) -> int:
        """Render what is not on disk yet; return how many that were.

        A run that is killed is continued by calling it again.

        Args:
            parts: those that are not of a store are left alone.
            executor: who renders; None: all cores, where there is enough to do.

        Raises:
            AudioError: if a part cannot be rendered, once all others are.
        """
        absent = self._absent(parts)
        for reason in self._failures(absent, executor).values():
            raise AudioError(reason)
        return len(absent)

    def failures(
        self, parts: Iterable[Part], *, executor: Executor | None = None
    ) -> dict[str, str]:
        """Render what is not on disk yet; return part_id → reason of those that cannot be.

        Args:
            parts: as in `render_all`.
            executor: as in `render_all`.
        """
        return self._failures(self._absent(parts), executor)

    def _absent(self, parts: Iterable[Part]) -> list[StoredPart]:
        unique = {p.part_id: p for p in parts if isinstance(p, StoredPart)}
        not_there = missing(self.folder, [p.path for p in unique.values()])
        # Parts of the same stems beside each other find them decoded.
        return sorted(
            (p for p in unique.values() if p.path in not_there),
            key=lambda p: (p.part.stem_ids, p.part_id),
        )

    def _failures(self, absent: list[StoredPart], executor: Executor | None) -> dict[str, str]:
        if not absent:
            return {}
        remove_leftovers(self.folder)
        executor = executor or LocalExecutor.for_items(len(absent))
        starts = range(0, len(absent), _GROUP)
        found = _render(executor, [absent[start : start + _GROUP] for start in starts])
        # A group whose worker was killed is taken apart: most likely one of its parts did it.
        killed = [part for part in absent if found.get(part.part_id) == DIED]
        for part in killed:
            del found[part.part_id]
        return found | _render(executor, [[part] for part in killed])


def _settings(database: MashupDB) -> tuple[int, str]:
    """Return sample rate (Hz) and engine of a database's mixes."""
    found = database.entry("mixes")
    if found is None:
        if not (database.root / "mixes.parquet").is_file():
            return DEFAULT_RATE, DEFAULT_ENGINE
        problem = "has no entry 'mixes', so that nobody knows how the mixes are to be rendered"
    else:
        rate = found.get("sample_rate", DEFAULT_RATE)
        engine = found.get("engine", DEFAULT_ENGINE)
        if type(rate) is int and 8000 <= rate <= 192_000 and isinstance(engine, str):
            return rate, engine
        problem = f"asks for mixes at sample_rate={rate!r} by engine={engine!r}"[:200]
    raise DatabaseError(
        f"{database.root / 'manifest.json'} {problem}. Make them anew: "
        f"python -m data_pipelines.mixes {setting('db', database.root)}"
    )


def _render(executor: Executor, groups: list[list[StoredPart]]) -> dict[str, str]:
    found: dict[str, str] = {}
    outcomes = executor.run(
        _render_group, groups, label="rendering", unit=f"{_GROUP} parts", died=_group_died
    )
    for outcome in outcomes:
        found |= outcome
    return found


def _render_group(parts: list[StoredPart]) -> dict[str, str]:
    """Render some parts; return part_id → reason of those that cannot be."""
    found = {}
    for part in parts:
        try:
            part.render()
        except StorageError:  # it is not the part's fault
            raise
        except MashnetError as error:
            found[part.part_id] = str(error)
    return found


def _group_died(parts: list[StoredPart]) -> dict[str, str]:
    return {part.part_id: DIED for part in parts}
