"""The stems of a MashupDB, as a protocol wants them: what is missing, and what could be it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from mashnet.audio.levels import ACTIVE_ABOVE_DB, rms_db
from mashnet.data.parts import Group, Part, Query, SlicedPart, SumPart
from mashnet.errors import AudioError, require_one_of
from mashnet.evaluation.subjects.decoded_stems import DecodedStems, StemPart
from mashnet.evaluation.subjects.split import DatabaseSplit
from mashnet.files import content_id

LABELS = ("coarse", "fine")
NO_ROLE = "composite"  # the role of stems that have none; rules take it for unpitched

_CHECK_RATE = 16_000  # Hz, at which chunks are checked for silence
_MOST_ATTEMPTS = 50  # to find one more chunk of a song in which two stems sound


@dataclass(frozen=True)
class StemQuestion:
    """A stem, and what is left of its clip without it."""

    stem_id: str
    song: str
    label: str  # of the stem; "" where unknown
    query: Query  # the clip's other sounding stems; its instrument is the label
    candidate: Group  # the stem


@dataclass(frozen=True)
class StemChunk:
    """A few seconds of a clip, cut into a random submix and the rest."""

    chunk_id: str
    song: str
    query: Query
    candidate: Group


class StemSource(Protocol):
    """Where the protocol gets stems from."""

    name: str
    split: str

    def questions(self, labels: str) -> list[StemQuestion]:
        """Return one question per stem, the instrument named coarsely or finely."""

    def chunks(self, *, num_draws: int, chunk_s: float, seed: int) -> list[StemChunk]:
        """Return up to `num_draws` different chunks of each song, song by song."""

    def left_out(self) -> list[str]:
        """Say what of the split is not asked about, one sentence for each reason."""


def instrument_name(label: str, labels: str) -> str:
    """Return an instrument's name from a label path: its first part if coarse, else its last.

    >>> instrument_name("guitar/electric guitar/lead electric guitar", "coarse")
    'guitar'
    """
    steps = [step.strip() for step in label.split("/") if step.strip()]
    if not steps:
        return ""
    return steps[0] if labels == "coarse" else steps[-1]


class DatabaseStems(DatabaseSplit):
    """A StemSource over the clips of one split in which at least two stems sound.

    Every stem is decoded before the first question: those that cannot be read are left out.
    """

    def __init__(self, root: str | Path, *, split: str) -> None:
        """Open the database.

        Args:
            root: its folder.
            split: train, val, test, or all for every clip of a database not trained on.

        Raises:
            DatabaseError: if there is no such database.
            ConfigError: if there is no such split.
        """
        super().__init__(root, split=split)
        self._decoded = DecodedStems()

    def questions(self, labels: str) -> list[StemQuestion]:
        """Return one question per sounding stem, clip by clip.

        Raises:
            ConfigError: if `labels` is neither coarse nor fine.
        """
        require_one_of("labels", labels, LABELS)
        found = []
        for clip_id, stems in self._clips.items():
            song = self.database.clip_rows[clip_id]["song_id"]
            for stem in stems:
                label = instrument_name(stem["label"] or "", labels)
                others = self._group([other for other in stems if other is not stem])
                found.append(
                    StemQuestion(
                        stem_id=stem["stem_id"],
                        song=song,
                        label=label,
                        query=Query(others, instrument=label),
                        candidate=self._group([stem]),
                    )
                )
        return found

    def chunks(self, *, num_draws: int, chunk_s: float, seed: int) -> list[StemChunk]:
        """Return up to `num_draws` different chunks of each song, song by song.

        A chunk has at least two stems that are not silent in it. Some of them, drawn at random,
        are the query and the rest is the candidate. A song in which such chunks are hard to find
        gives fewer. What is drawn from a song depends on the seed and the song alone.

        Args:
            num_draws: chunks per song.
            chunk_s: length in seconds; shorter clips end in silence.
            seed: of the draws.
        """
        by_song: dict[str, list[str]] = {}
        for clip_id in self._clips:
            song = self.database.clip_rows[clip_id]["song_id"]
            by_song.setdefault(song, []).append(clip_id)
        found: list[StemChunk] = []
        for song, clips in by_song.items():
            random = np.random.default_rng([seed, int(content_id(song), 16)])
            drawn: dict[str, StemChunk] = {}
            for _ in range(num_draws):
                for _ in range(_MOST_ATTEMPTS):
                    chunk = self._draw(song, clips[random.integers(len(clips))], chunk_s, random)
                    if chunk is not None and chunk.chunk_id not in drawn:
                        drawn[chunk.chunk_id] = chunk
                        break
            found += drawn.values()
        return found

    def left_out(self) -> list[str]:
        """Say what of the split is not asked about, one sentence for each reason."""
        silent = sum(not _sounds(stem) for stems in self._all.values() for stem in stems)
        alone = sum(len(stems) == 1 for stems in self._sounding.values())
        reasons = []
        if self._unreadable:
            reasons.append(
                f"{_count(len(self._unreadable), 'stem')} unreadable and left out; the first: "
                f"{next(iter(self._unreadable.values()))}."
            )
        if silent:
            reasons.append(
                f"{_count(silent, 'stem')} silent throughout (below {ACTIVE_ABOVE_DB:g} dB) "
                f"and left out."
            )
        if alone:
            reasons.append(
                f"{_count(alone, 'clip')} left out, stem and all: only one stem sounds, so "
                f"nothing could ask for it."
            )
        nothing = sum(not stems for stems in self._sounding.values())
        if nothing:
            reasons.append(f"{_count(nothing, 'clip')} left out: no stem sounds.")
        without_role = sum(not stem["role"] for stems in self._clips.values() for stem in stems)
        if without_role:
            reasons.append(
                f"{_count(without_role, 'stem')} without a role: alignment and keytempo take them "
                f"for unpitched, automashupper does not hear them."
            )
        return reasons

    @cached_property
    def _all(self) -> dict[str, list[dict[str, Any]]]:
        """Stem rows by clip_id, for each clip of the split."""
        clips: dict[str, list[dict[str, Any]]] = {
            row["clip_id"]: []
            for row in self.database.clips.sort("song_id", "clip_id").iter_rows(named=True)
            if self.split in ("all", row["split"])
        }
        for row in self.database.stems.sort("stem_id").iter_rows(named=True):
            if row["clip_id"] in clips:
                clips[row["clip_id"]].append(row)
        return clips

    @cached_property
    def _unreadable(self) -> dict[str, str]:
        """Why stems cannot be read, by stem_id; stems that are said to be silent are not tried."""
        reasons = {}
        for stem in (stem for stems in self._all.values() for stem in stems if _sounds(stem)):
            try:
                self._part(stem).waveform(_CHECK_RATE)
            except AudioError as error:
                reasons[stem["stem_id"]] = str(error)
        return reasons

    @cached_property
    def _sounding(self) -> dict[str, list[dict[str, Any]]]:
        """The stems of each clip that sound and can be read."""
        return {
            clip: [s for s in stems if _sounds(s) and s["stem_id"] not in self._unreadable]
            for clip, stems in self._all.items()
        }

    @cached_property
    def _clips(self) -> dict[str, list[dict[str, Any]]]:
        """The sounding stems of each clip that has at least two."""
        return {clip: stems for clip, stems in self._sounding.items() if len(stems) > 1}

    def _part(self, stem: Mapping[str, Any]) -> Part:
        stem_id = stem["stem_id"]
        return StemPart(
            stem_id,
            self.database.audio_path(stem_id),
            self._decoded,
            self.database.facts_of(stem["clip_id"]),
        )

    def _group(self, stems: Sequence[Mapping[str, Any]]) -> Group:
        return _grouped([(stem["role"], self._part(stem)) for stem in stems])

    def _draw(
        self, song: str, clip_id: str, chunk_s: float, random: np.random.Generator
    ) -> StemChunk | None:
        """Draw a chunk of a clip; None if fewer than two stems sound in it."""
        duration_s = self.database.clip_rows[clip_id]["duration_s"] or 0.0
        start_s = round(random.uniform(0, max(0.0, duration_s - chunk_s)), 2)
        sounding = []
        for stem in self._clips[clip_id]:
            part = SlicedPart(self._part(stem), start_s, chunk_s)
            if rms_db(part.waveform(_CHECK_RATE)) > ACTIVE_ABOVE_DB:
                sounding.append((stem["role"], part))
        if len(sounding) < 2:
            return None
        asking = np.zeros(len(sounding), bool)
        while asking.all() or not asking.any():
            asking = random.integers(2, size=len(sounding)).astype(bool)
        query, rest = (
            _grouped([stem for stem, asks in zip(sounding, asking, strict=True) if asks == side])
            for side in (True, False)
        )
        ids = [sorted((role, part.part_id) for role, part in g.items()) for g in (query, rest)]
        return StemChunk(content_id(*ids), song, Query(query), rest)


def _sounds(stem: Mapping[str, Any]) -> bool:
    return stem["rms_db"] is None or not stem["rms_db"] <= ACTIVE_ABOVE_DB


def _grouped(parts: Sequence[tuple[str | None, Part]]) -> dict[str, Part]:
    """Return role → its part, or the sum of its parts."""
    by_role: dict[str, list[Part]] = {}
    for role, part in parts:
        by_role.setdefault(role or NO_ROLE, []).append(part)
    return {r: p[0] if len(p) == 1 else SumPart(tuple(p)) for r, p in sorted(by_role.items())}


def _count(number: int, what: str) -> str:
    return f"1 {what} is" if number == 1 else f"{number} {what}s are"
