"""Recipes as sound: a pure function per role, and a store that renders each part once.

Time runs in seconds of the vocal's clip. A moment t of a stem whose first downbeat lies at d
sounds, before the common move, at d_vocal + (t - d) / ratio + offset; what comes before zero is cut.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import soxr
from tqdm import tqdm

from mashnet.audio.io import read_audio, write_flac
from mashnet.audio.stretch import ENGINES, stretch
from mashnet.data.mashupdb import ROLES, MashupDB
from mashnet.data.parts import Part
from mashnet.data.recipes import Recipe, Role
from mashnet.errors import DatabaseError, require_one_of
from mashnet.files import content_id, remove_leftovers

RENDER_VERSION = (
    1  # part of every id: raise it when rendering changes, so that nothing stale is read
)
STORED_GAIN = 0.5  # FLAC ends at ±1; sums of stems and stretched peaks reach beyond


@dataclass(frozen=True)
class Displacement:
    """A move of one role on top of its recipe, about the first downbeat (for sensitivity)."""

    semitones: float = 0.0
    tempo_ratio: float = 1.0  # above 1 is faster
    offset_s: float = 0.0  # positive is later


@dataclass(frozen=True)
class RenderedPart:
    """One role of a recipe: which stems, and how they move. Implements `mashnet.data.parts.Part`.

    Attributes:
        stem_ids: what sounds, added up.
        paths: where it lies.
        semitones: shift of these stems, the common one included.
        tempo_ratio: output tempo / stem tempo, the common ratio included.
        shift_s: where the stretched stems begin in the output; negative cuts their beginning.
        keyframes_s: pairs (stem time, output time) for beatwise stretching; empty for one ratio.
        duration_s: length of the output.
        force: pass the stretch engine even if nothing changes.
        engine: of `mashnet.audio.stretch`.
    """

    stem_ids: tuple[str, ...]
    paths: tuple[Path, ...]
    semitones: float
    tempo_ratio: float
    shift_s: float
    keyframes_s: tuple[tuple[float, float], ...]
    duration_s: float
    force: bool
    engine: str

    @cached_property
    def part_id(self) -> str:
        """Hash of everything that decides the sound, and of nothing else."""
        stretched = self.force or self.keyframes_s or self.semitones or self.tempo_ratio != 1.0
        return content_id(
            "rendered",
            RENDER_VERSION,
            sorted(self.stem_ids),
            self.semitones,
            self.tempo_ratio,
            round(self.shift_s, 9),
            [[round(i, 9), round(o, 9)] for i, o in self.keyframes_s],
            self.duration_s,
            self.engine if stretched else "",
        )

    def waveform(self, sample_rate: int) -> np.ndarray:
        """Render at `sample_rate`, mono float32, (round(duration_s · sample_rate),)."""
        stems = _mono_sum(self.paths, sample_rate)[None]
        keyframes = None
        if self.keyframes_s:
            keyframes = [
                (round(i * sample_rate), round(o * sample_rate)) for i, o in self.keyframes_s
            ]
        moved = stretch(
            stems,
            sample_rate,
            tempo_ratio=self.tempo_ratio,
            semitones=self.semitones,
            keyframes=keyframes,
            engine=self.engine,
            force=self.force,
        )[0]
        length = round(self.duration_s * sample_rate)
        shift = round(self.shift_s * sample_rate)
        placed = np.zeros(length, np.float32)
        source = moved[max(0, -shift) : max(0, length - shift)]
        placed[max(0, shift) : max(0, shift) + len(source)] = source
        return placed


@lru_cache(maxsize=24)
def _mono_sum(paths: tuple[Path, ...], sample_rate: int) -> np.ndarray:
    """Add up stems as mono at one rate. Resampling before stretching halves its cost."""
    waves = [read_audio(path, sample_rate=sample_rate, mono=True)[0][0] for path in paths]
    total = np.zeros(max(map(len, waves)), np.float32)
    for wave in waves:
        total[: len(wave)] += wave
    total.flags.writeable = False  # shared between callers
    return total


def rendered_part(
    database: MashupDB,
    recipe: Recipe,
    role: Role,
    *,
    engine: str = "pylibrb",
    displacement: Displacement = Displacement(),
    force: bool = False,
) -> RenderedPart:
    """Return one role of a recipe as a part.

    Args:
        database: where the stems lie.
        recipe: what to render.
        role: vocal, harmonic or percussion.
        engine: of `mashnet.audio.stretch`.
        displacement: a further move of this role.
        force: pass the engine whatever the recipe says.

    Raises:
        DatabaseError: if a stem or its clip is unknown, or the clip has no downbeat.
    """
    require_one_of("engine", engine, ENGINES)
    ids = recipe.stem_ids(role)
    clip, vocal_clip = _clip_of(database, ids[0]), _clip_of(database, recipe.vocal[0])
    first_s, vocal_first_s = _first_downbeat_s(clip), _first_downbeat_s(vocal_clip)
    ratio = {"vocal": 1.0, "harmonic": recipe.ratio_h, "percussion": recipe.ratio_p}[role]
    offset_s = displacement.offset_s + (recipe.offset_s if role == recipe.offset_role else 0.0)
    common = recipe.common_ratio
    keyframes: tuple[tuple[float, float], ...] = ()
    if recipe.stretch == "beatwise" and role != "vocal":
        stem_beats = [b for b in clip["beats"] if b >= first_s - 1e-6]
        vocal_beats = [b for b in vocal_clip["beats"] if b >= vocal_first_s - 1e-6]
        keyframes = tuple(
            (s, (vocal_first_s + (v - vocal_first_s) / displacement.tempo_ratio) / common)
            for s, v in zip(stem_beats, vocal_beats, strict=False)
        )
        shift_s = offset_s / common
    if len(keyframes) < 2:  # one ratio also where there are too few beats to follow
        keyframes = ()
        ratio *= displacement.tempo_ratio
        shift_s = (vocal_first_s + offset_s - first_s / ratio) / common
    return RenderedPart(
        stem_ids=ids,
        paths=tuple(database.audio_path(stem_id) for stem_id in ids),
        semitones=(recipe.semitones if role == "harmonic" else 0)
        + recipe.common_semitones
        + displacement.semitones,
        tempo_ratio=ratio * common,
        shift_s=shift_s,
        keyframes_s=keyframes,
        duration_s=recipe.duration_s / common,
        force=force or recipe.artefact_control,
        engine=engine,
    )


def _clip_of(database: MashupDB, stem_id: str) -> dict:
    row = database.stem_rows.get(stem_id)
    clip = database.clip_rows.get(row["clip_id"]) if row else None
    if clip is None:
        raise DatabaseError(f"{database.root}: there is no stem {stem_id}")
    return clip


def _first_downbeat_s(clip: dict) -> float:
    if not clip["downbeats"]:
        raise DatabaseError(f"clip {clip['clip_id']} has no downbeat to align by")
    return float(clip["downbeats"][0])


def render_recipe(
    database: MashupDB, recipe: Recipe, sample_rate: int, *, engine: str = "pylibrb"
) -> dict[str, np.ndarray]:
    """Render all roles of a recipe: role → mono float32, all (round(duration · sample_rate),)."""
    return {
        role: rendered_part(database, recipe, role, engine=engine).waveform(sample_rate)
        for role in ROLES
    }


@dataclass(frozen=True)
class StoredPart:
    """A part that is rendered once and read from disk from then on."""

    part: RenderedPart
    path: Path
    store_rate: int

    @property
    def part_id(self) -> str:
        """The rendered part's id."""
        return self.part.part_id

    def waveform(self, sample_rate: int) -> np.ndarray:
        """Return mono float32 samples at `sample_rate`, rendering them first if need be."""
        render_to(self)
        audio, _ = read_audio(self.path)
        samples = audio[0] / STORED_GAIN
        if sample_rate != self.store_rate:
            samples = soxr.resample(samples, self.store_rate, sample_rate)
        return samples.astype(np.float32, copy=False)


def render_to(stored: StoredPart) -> None:
    """Render a stored part to its place unless it is there."""
    if not stored.path.is_file():
        samples = stored.part.waveform(stored.store_rate)
        write_flac(stored.path, samples[None] * STORED_GAIN, stored.store_rate)


class PartStore:
    """Rendered parts of one MashupDB, under audio/mixes, one FLAC each."""

    def __init__(self, database: MashupDB) -> None:
        """Take the rate and the engine that `data_pipelines.mixes` wrote into the manifest."""
        self.database = database
        settings = database.manifest.get("mixes", {})
        self.sample_rate = int(settings.get("sample_rate", 22050))  # Hz
        self.engine = require_one_of("engine", settings.get("engine", "pylibrb"), ENGINES)
        self.folder = database.root / "audio" / "mixes" / str(self.sample_rate)

    def part(
        self,
        recipe: Recipe,
        role: Role,
        *,
        displacement: Displacement = Displacement(),
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
        part_id = rendered.part_id
        return StoredPart(rendered, self.folder / part_id[:2] / f"{part_id}.flac", self.sample_rate)

    def render_all(self, parts: Iterable[Part], *, workers: int | None = None) -> int:
        """Render what is not on disk yet, on all cores; return how many that were.

        A run that is killed is continued by calling it again.
        """
        unique = {p.part_id: p for p in parts if isinstance(p, StoredPart)}
        absent = [p for p in unique.values() if not p.path.is_file()]
        # Parts of the same stems beside each other find them decoded.
        absent.sort(key=lambda p: (p.part.stem_ids, p.part_id))
        if not absent:
            return 0
        remove_leftovers(self.folder)
        workers = workers or len(os.sched_getaffinity(0))
        bar = partial(tqdm, total=len(absent), desc="rendering", unit="part", disable=None)
        if workers == 1 or len(absent) < 4:
            for part in bar(absent):
                render_to(part)
            return len(absent)
        with ProcessPoolExecutor(workers, mp_context=get_context("forkserver")) as pool:
            for _ in bar(pool.map(render_to, absent, chunksize=4)):
                pass
        return len(absent)
