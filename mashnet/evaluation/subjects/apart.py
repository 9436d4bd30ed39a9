"""Beats, bars and key of a clip, estimated twice: from its first half, and from its second.

A vocal and its own music share the errors of one estimate, strangers do not. Where the vocal is
told what one half says and the music what the other does, own pairs have no such help.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mashnet.audio.annotate import Annotation, annotate
from mashnet.audio.io import read_audio
from mashnet.data.mashupdb import MashupDB
from mashnet.errors import AudioError
from mashnet.execution.executor import DIED, Executor
from mashnet.execution.local import LocalExecutor
from mashnet.files import content_id, write_json
from mashnet.music.beats import bar_offset, line_through, regular_beats
from mashnet.music.keys import Key
from mashnet.music.song_facts import SongFacts
from mashnet.storage.regular_files import read_json

_FOLDER = "halves"  # in the database's cache
_VERSION = 1  # raise it when estimates change
_RATE = 44_100  # Hz
_LEAST_BEATS = 4  # of a half, for a line through them

Halves = tuple[SongFacts | None, SongFacts | None]


class ApartFacts:
    """What either half of a clip says of the whole; estimated once, and kept in the cache."""

    def __init__(self, database: MashupDB) -> None:
        """Take the database; nothing is estimated yet."""
        self.database = database

    def of(self, clip_ids: Iterable[str], *, executor: Executor | None = None) -> dict[str, Halves]:
        """Return what the first and the second half of each clip say; None where one says nothing.

        Args:
            clip_ids: of the database.
            executor: who estimates; None: all cores, where there is enough to do.
        """
        paths = {clip_id: self._path(clip_id) for clip_id in dict.fromkeys(clip_ids)}
        absent = [clip_id for clip_id, path in paths.items() if not path.is_file()]
        executor = executor or LocalExecutor.for_items(len(absent))
        jobs = [
            (paths[clip_id], tuple(map(self.database.audio_path, self._stem_ids(clip_id))))
            for clip_id in absent
        ]
        executor.run(_estimate, jobs, label="beats of halves", died=lambda _: DIED)
        return {clip_id: self._read(clip_id, path) for clip_id, path in paths.items()}

    def _stem_ids(self, clip_id: str) -> list[str]:
        stems = self.database.sounding_stems.get(clip_id, {})
        return sorted(stem["stem_id"] for of_role in stems.values() for stem in of_role)

    def _path(self, clip_id: str) -> Path:
        ids = self._stem_ids(clip_id)
        sizes = [self.database.audio_bytes(stem_id) for stem_id in ids]
        name = content_id("halves", _VERSION, ids, sizes)
        return self.database.place("cache", _FOLDER, f"{name}.json")

    def _read(self, clip_id: str, path: Path) -> Halves:
        try:
            first, second = read_json(path)["halves"]
        except (OSError, ValueError, KeyError, TypeError):
            return None, None  # a stem could not be read
        facts = self.database.facts_of(clip_id)
        return extrapolated(facts, first), extrapolated(facts, second)


def extrapolated(facts: SongFacts, found: dict[str, Any]) -> SongFacts | None:
    """Return what a stretch of a clip says of the whole clip.

    Args:
        facts: of the clip; its tuning and its length are kept.
        found: `beats` and `downbeats` of the stretch in seconds from the clip's beginning,
            `beats_per_bar`, and `key` as [tonic, mode] or None.

    Returns:
        Facts whose beats all lie on the line through those found; None where these are too few.
    """
    beats, downbeats, metre = found["beats"], found["downbeats"], found["beats_per_bar"]
    if len(beats) < _LEAST_BEATS or not downbeats or not metre:
        return None
    first_s, period_s = line_through(beats)
    grid = regular_beats(period_s, first_s % period_s, facts.duration_s)
    begin = bar_offset(grid.tolist(), downbeats, metre)
    return replace(
        facts,
        beats_s=tuple(grid.tolist()),
        downbeats_s=tuple(grid[begin::metre].tolist()),
        beats_per_bar=metre,
        key=Key(*found["key"]) if found["key"] else None,
        sections=(),
        tempo_bpm=60 / period_s,
    )


def _estimate(job: tuple[Path, tuple[Path, ...]]) -> str:
    """Annotate both halves of a clip and write what is found; return why not, or nothing."""
    path, audio = job
    mix = np.zeros(0, np.float32)
    try:
        for stem in audio:
            wave = read_audio(stem, sample_rate=_RATE, mono=True)[0][0]
            longer, shorter = (mix, wave) if len(mix) >= len(wave) else (wave, mix)
            mix = longer.copy()
            mix[: len(shorter)] += shorter
    except AudioError as error:
        return str(error)
    middle = len(mix) // 2
    halves = [
        _as_json(annotate(mix[None, :middle], _RATE), 0.0),
        _as_json(annotate(mix[None, middle:], _RATE), middle / _RATE),
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, {"halves": halves})
    return ""


def _as_json(found: Annotation, start_s: float) -> dict[str, Any]:
    return {
        "beats": [start_s + beat for beat in found.beats],
        "downbeats": [start_s + beat for beat in found.downbeats],
        "beats_per_bar": found.beats_per_bar,
        "key": [found.key.tonic, found.key.mode] if found.key_confidence > 0 else None,
    }
