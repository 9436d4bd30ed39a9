"""Recipes as sound: what one role of a mix is, and how it is rendered.

Two time lines: stem time, from the beginning of the stems' clip, and mix time, from the beginning
of the mix (`LEAD_IN_S` after the vocal's first downbeat), after the common move. Where one ratio
applies, stem time t sounds at mix time t / tempo_ratio + place_s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from mashnet.audio.io import read_audio
from mashnet.audio.stretch import (
    DEFAULT_ENGINE,
    ENGINES,
    UNPITCHED_ENGINES,
    require_beatwise,
    stretch,
)
from mashnet.data.mashupdb import ROLES, MashupDB
from mashnet.data.mixes.recipes import IN_TIME, LEAD_IN_S, Recipe
from mashnet.errors import AudioError, DatabaseError, require_one_of
from mashnet.files import content_id
from mashnet.music.song_facts import SongFacts

# Part of every id: raise it when rendering changes, so that nothing stale is read.
RENDER_VERSION = 3
# The engine is given this much more of the stems on either side, so that it never starts cold.
_CONTEXT_S = 0.25
MOST_S = 1800.0  # of a mix, whatever a table says; those that are made last a minute


@dataclass(frozen=True)
class Displacement:
    """A move of one role on top of its recipe, about the beginning of the mix."""

    semitones: float = 0.0
    tempo_ratio: float = 1.0  # above 1 is faster
    offset_s: float = 0.0  # positive is later


UNMOVED = Displacement()


@dataclass(frozen=True)
class RenderedPart:
    """One role of a recipe: which stems, and how they move. Implements `mashnet.data.parts.Part`.

    Attributes:
        stem_ids: what sounds, added up.
        paths: where it lies.
        semitones: shift of these stems, the common one included.
        tempo_ratio: mix tempo over stem tempo, the common ratio included.
        place_s: mix time of the stems' beginning; mostly negative.
        keyframes_s: pairs (stem time, mix time) in place of ratio and place; empty for one ratio.
        duration_s: length of the mix.
        force: pass the stretch engine even if nothing changes.
        engine: of `mashnet.audio.stretch`.
        pitched: whether the stems have a pitch to keep; False for percussion.
        song: what is known of the stems' clip, before it is moved; None: nothing.
    """

    stem_ids: tuple[str, ...]
    paths: tuple[Path, ...]
    semitones: float
    tempo_ratio: float
    place_s: float
    keyframes_s: tuple[tuple[float, float], ...]
    duration_s: float
    force: bool
    engine: str
    pitched: bool = True
    # It does not change the sound: neither equality nor the id depends on it.
    song: SongFacts | None = field(default=None, compare=False, repr=False)

    @cached_property
    def facts(self) -> SongFacts | None:
        """What is known of the music, moved as the stems are."""
        return self.song and self.song.moved(
            self._mix_time, duration_s=self.duration_s, semitones=self.semitones
        )

    @cached_property
    def part_id(self) -> str:
        """Hash of everything that decides the sound, and of nothing else."""
        stretched = self.force or self.keyframes_s or self.semitones or self.tempo_ratio != 1.0
        return content_id(
            "rendered",
            RENDER_VERSION,
            sorted(self.stem_ids),
            float(self.semitones),  # 0 and 0.0 sound the same
            round(self.tempo_ratio, 9),
            round(self.place_s, 9),
            [[round(stem_s, 9), round(mix_s, 9)] for stem_s, mix_s in self.keyframes_s],
            round(self.duration_s, 9),
            self.engine if stretched else "",
            self.pitched or not stretched or self.engine not in UNPITCHED_ENGINES,
        )

    def waveform(self, sample_rate: int) -> np.ndarray:
        """Render at `sample_rate`, mono float32, (round(duration_s · sample_rate),).

        Raises:
            AudioError: if a stem cannot be read, or a table asks for more than `MOST_S`.
        """
        if not 0 < self.duration_s <= MOST_S:
            raise AudioError(
                f"{self.paths[0]}: a mix of it is to last {self.duration_s:.6g} s, at most "
                f"{MOST_S:g}; make the mixes anew: python -m data_pipelines.mixes"
            )
        stems = _mono_sum(self.paths, sample_rate)
        length = round(self.duration_s * sample_rate)
        mix = np.zeros(length, np.float32)
        needed = np.array([-_CONTEXT_S, self.duration_s + _CONTEXT_S])
        first, last = np.clip(
            np.round(self._stem_time(needed) * sample_rate).astype(int), 0, len(stems)
        )
        if first >= last:  # moved out of the mix altogether
            return mix
        keyframes = self._keyframes(int(first), int(last), sample_rate)
        moved = stretch(
            stems[None, first:last],
            sample_rate,
            tempo_ratio=1.0 if keyframes else self.tempo_ratio,
            semitones=self.semitones,
            keyframes=keyframes,
            engine=self.engine,
            pitched=self.pitched,
            force=self.force,
        )[0]
        begin = round(float(self._mix_time(np.array(first / sample_rate))) * sample_rate)
        heard = moved[max(0, -begin) : max(0, length - begin)]
        mix[max(0, begin) : max(0, begin) + len(heard)] = heard
        return mix

    def _mix_time(self, stem_s: np.ndarray) -> np.ndarray:
        if not self.keyframes_s:
            return stem_s / self.tempo_ratio + self.place_s
        return _follow(stem_s, self.keyframes_s)

    def _stem_time(self, mix_s: np.ndarray) -> np.ndarray:
        if not self.keyframes_s:
            return (mix_s - self.place_s) * self.tempo_ratio
        return _follow(mix_s, [(mix, stem) for stem, mix in self.keyframes_s])

    def _keyframes(
        self, first: int, last: int, sample_rate: int
    ) -> list[tuple[float, float]] | None:
        """Return the key frames of a stretch of the stems, in samples from its beginning."""
        if not self.keyframes_s:
            return None
        # Not next to an end, which is rounded to a whole sample.
        inside = [s for s, _ in self.keyframes_s if first + 16 < s * sample_rate < last - 16]
        stem_s = np.array([first / sample_rate, *inside, last / sample_rate])
        samples = np.stack([stem_s, self._mix_time(stem_s)], axis=1) * sample_rate
        samples -= samples[0]
        samples[-1] = last - first, round(samples[-1, 1])
        return [(float(before), float(after)) for before, after in samples]


def _follow(times: np.ndarray, pairs: Sequence[tuple[float, float]]) -> np.ndarray:
    """Map times piecewise linearly; beyond the ends the outermost pieces go on."""
    before, after = np.asarray(pairs, dtype=np.float64).T
    slopes = np.diff(after) / np.diff(before)
    piece = np.clip(np.searchsorted(before, times, side="right") - 1, 0, len(slopes) - 1)
    return after[piece] + (times - before[piece]) * slopes[piece]


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
    role: str,
    *,
    engine: str = DEFAULT_ENGINE,
    displacement: Displacement = UNMOVED,
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
        ConfigError: if the engine is unknown, or cannot follow beats where it should.
    """
    require_one_of("engine", engine, ENGINES)
    ids = recipe.stem_ids(role)
    clip, vocal = database.clip_of(ids[0]), database.clip_of(recipe.vocal[0])
    first_s, vocal_first_s = _first_downbeat_s(clip), _first_downbeat_s(vocal)
    offset_s = recipe.offset_s if role == recipe.offset_role else 0.0
    ratio, common = recipe.tempo_ratio(role), recipe.common_ratio

    def displaced(mix_s: float) -> float:
        return (mix_s / displacement.tempo_ratio + displacement.offset_s) / common

    force = force or recipe.artefact_control
    place_s = offset_s - LEAD_IN_S - first_s / ratio
    keyframes: list[tuple[float, float]] = []
    if recipe.stretch == "beatwise":
        own = clip["clip_id"] == vocal["clip_id"]
        if recipe.condition in IN_TIME and not own:
            keyframes = [
                (stem_s, displaced(vocal_s - vocal_first_s - LEAD_IN_S))
                for stem_s, vocal_s in zip(
                    _beats_from(clip, first_s), _beats_from(vocal, vocal_first_s), strict=False
                )
            ]
        # Where all stems pass the engine they pass it in the same way, in one straight piece.
        if len(keyframes) < 2 and force:
            end_s = clip["duration_s"]
            keyframes = [(0.0, displaced(place_s)), (end_s, displaced(place_s + end_s / ratio))]
        if keyframes:
            require_beatwise(engine)
    return RenderedPart(
        stem_ids=ids,
        paths=tuple(database.audio_path(stem_id) for stem_id in ids),
        semitones=(recipe.semitones if role == "harmonic" else 0)
        + recipe.common_semitones
        + displacement.semitones,
        tempo_ratio=ratio * displacement.tempo_ratio * common,
        place_s=displaced(place_s),
        keyframes_s=tuple(keyframes),
        duration_s=recipe.duration_s / common,
        force=force,
        engine=engine,
        pitched=role != "percussion",
        song=database.facts_of(clip["clip_id"]),
    )


def _first_downbeat_s(clip: dict[str, Any]) -> float:
    if not clip["downbeats"]:
        raise DatabaseError(f"clip {clip['clip_id']} has no downbeat to align by")
    return float(clip["downbeats"][0])


def _beats_from(clip: dict[str, Any], first_s: float) -> list[float]:
    return [beat_s for beat_s in clip["beats"] if beat_s >= first_s - 1e-6]


def render_recipe(
    database: MashupDB, recipe: Recipe, sample_rate: int, *, engine: str = DEFAULT_ENGINE
) -> dict[str, np.ndarray]:
    """Render all roles of a recipe: role → mono float32, all (round(duration · sample_rate),)."""
    return {
        role: rendered_part(database, recipe, role, engine=engine).waveform(sample_rate)
        for role in ROLES
    }
