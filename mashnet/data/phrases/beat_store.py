"""Sides of clips in beat time, computed once and kept beside the library.

A side is what sounds together of one clip: its vocal, its music, a single stem. Each has a row per
bar. What lies on disk is named by the stems, the beats and the tuning it was computed from, so that
new songs are appended, and songs that were analysed anew are computed anew.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch

from mashnet.audio.beat_features import (
    BANDS,
    FEATURES_VERSION,
    MOMENTS,
    PITCH_MOMENTS,
    PITCHES,
    SAMPLE_RATE,
    BeatFeatures,
    BeatFrontend,
)
from mashnet.audio.io import read_audio
from mashnet.data.embedding_store import EmbeddingStore
from mashnet.data.mashupdb import MashupDB
from mashnet.data.phrases.frontend import cents_of
from mashnet.data.roles import PERCUSSION
from mashnet.errors import AudioError
from mashnet.execution.executor import DIED, Executor
from mashnet.execution.local import LocalExecutor
from mashnet.files import content_id
from mashnet.music.bars import Bars, bars_of
from mashnet.music.song_facts import facts_of

_MOST = 1e4  # of a feature; logarithms of sound are far below
_FOLDER = "beats"  # in the database's cache
_SHAPES = ((MOMENTS, BANDS), (PITCH_MOMENTS, PITCHES), (), ())
_PER_BEAT = sum(int(np.prod(shape)) for shape in _SHAPES)


@dataclass(frozen=True)
class Side:
    """Stems of one clip that sound together."""

    clip_id: str
    stem_ids: tuple[str, ...]


@dataclass(frozen=True)
class SideInBeats:
    """A side, bar by bar.

    Attributes:
        whole: which bars can be used, (bars,).
        features: (bars, beats, …); zeros in bars that are not whole.
    """

    whole: np.ndarray
    features: BeatFeatures


class BeatStore:
    """Sides of a MashupDB in beat time."""

    def __init__(
        self,
        database: MashupDB,
        *,
        progress: Callable[[int, int], object] = lambda done, total: None,
    ) -> None:
        """Keep the files under the database's cache, one folder per version and metre.

        Args:
            database: whose sides.
            progress: is told how many of how many sides are done that were not there yet.
        """
        self.database = database
        self._progress = progress
        self.unreadable: dict[Side, str] = {}
        self._bars: dict[str, Bars | None] = {}

    def bars(self, clip_id: str) -> Bars | None:
        """Return the bars of a clip; None where it has none."""
        if clip_id not in self._bars:
            self._bars[clip_id] = bars_of(facts_of(self.database.clip_rows[clip_id]))
        return self._bars[clip_id]

    def read(
        self, sides: Iterable[Side], *, executor: Executor | None = None
    ) -> dict[Side, SideInBeats]:
        """Return sides in beat time, all at once; see `each`."""
        return dict(self.each(sides, executor=executor))

    def each(
        self, sides: Iterable[Side], *, executor: Executor | None = None
    ) -> Iterator[tuple[Side, SideInBeats]]:
        """Yield sides in beat time, in the order of the disk; see `rows`."""
        for side, rows in self.rows(sides, executor=executor):
            bars = self.bars(side.clip_id)
            assert bars is not None
            yield side, unpacked(np.asarray(rows), bars.beats_per_bar)

    def rows(
        self, sides: Iterable[Side], *, executor: Executor | None = None
    ) -> Iterator[tuple[Side, np.ndarray]]:
        """Yield sides as they lie on disk, memory-mapped; what is not there yet is computed.

        Args:
            sides: of clips of the database.
            executor: who computes; None: all cores, where there is enough to do.

        Yields:
            A row per bar, see `unpacked`, for each side of a clip that has bars and whose stems
            can be read; `unreadable` says why the others cannot. A run that is killed goes on
            where it was.
        """
        by_metre: dict[int, dict[str, Side]] = {}
        for side in dict.fromkeys(sides):
            bars = self.bars(side.clip_id)
            if bars is not None and side.stem_ids:
                by_metre.setdefault(bars.beats_per_bar, {})[self.key(side)] = side
        self._remove_older_versions()
        for metre, keyed in by_metre.items():
            yield from self._of_metre(metre, keyed, executor)

    def _of_metre(
        self, metre: int, keyed: dict[str, Side], executor: Executor | None
    ) -> Iterator[tuple[Side, np.ndarray]]:
        def encode(missing: Sequence[str]) -> Iterator[np.ndarray | None]:
            return self._encoded([keyed[key] for key in missing], executor)

        folder = self.database.place("cache", _FOLDER, f"{FEATURES_VERSION}-{metre}")
        blocks = EmbeddingStore(folder).update(
            list(keyed),
            encode,
            label="beats",
            unit="side",
            width=lambda: 1 + metre * _PER_BEAT,
            keep_others=True,
        )
        for block in blocks:
            for key, rows in zip(block.keys, block.embeddings, strict=True):
                if side := keyed.get(key):
                    bars = self.bars(side.clip_id)
                    assert bars is not None
                    if len(rows) < len(bars.whole) or not (np.abs(rows) < _MOST).all():
                        self.unreadable[side] = (
                            f"{block.path} is damaged; delete it: it is then made anew"
                        )
                        continue
                    yield side, rows[: len(bars.whole)]

    def _remove_older_versions(self) -> None:
        parent = self.database.place("cache", _FOLDER)
        if parent.is_dir():
            for old in parent.iterdir():
                if (
                    old.is_dir()
                    and not old.is_symlink()
                    and not old.name.startswith(f"{FEATURES_VERSION}-")
                ):
                    shutil.rmtree(old)

    def key(self, side: Side) -> str:
        """Return what names a side of a clip that has bars: all that its rows depend on."""
        bars = self.bars(side.clip_id)
        assert bars is not None
        return content_id(
            "side",
            sorted(side.stem_ids),
            [self.database.audio_bytes(stem_id) for stem_id in sorted(side.stem_ids)],
            bars.times_s.round(4).tobytes(),
            self._cents(side.clip_id),
        )

    def _cents(self, clip_id: str) -> float:
        return cents_of(facts_of(self.database.clip_rows[clip_id]).tuning)

    def _encoded(
        self, sides: Sequence[Side], executor: Executor | None
    ) -> Iterator[np.ndarray | None]:
        jobs = []
        for side in sides:
            bars = self.bars(side.clip_id)
            assert bars is not None
            rows = [self.database.stem_rows[stem_id] for stem_id in side.stem_ids]
            paths = tuple(self.database.audio_path(row["stem_id"]) for row in rows)
            pitched = tuple(row["role"] != PERCUSSION for row in rows)
            jobs.append((paths, pitched, bars.times_s, self._cents(side.clip_id)))
        executor = executor or LocalExecutor.for_items(len(jobs))
        results = executor.each(_encode, jobs, died=lambda _: DIED)
        for done, (side, result) in enumerate(zip(sides, results, strict=True), start=1):
            self._progress(done, len(sides))
            if isinstance(result, str):
                self.unreadable[side] = result
                yield None
            else:
                self.unreadable.pop(side, None)  # it may have been mended
                yield result


def _encode(job: tuple) -> np.ndarray | str:
    """Return the rows of one side, (bars, 1 + numbers), or why there are none."""
    paths, pitched, times_s, cents = job
    everything, tones = np.zeros(0, np.float32), np.zeros(0, np.float32)
    try:
        for path, has_pitch in zip(paths, pitched, strict=True):
            wave = read_audio(path, sample_rate=SAMPLE_RATE, mono=True)[0][0]
            everything = _added(everything, wave)
            if has_pitch:
                tones = _added(tones, wave)
    except AudioError as error:
        return str(error)
    tones = _added(tones, np.zeros_like(everything))
    with torch.inference_mode():
        features = frontend()(
            torch.from_numpy(tones)[None], torch.from_numpy(everything)[None], times_s, cents
        )[0]
    whole = np.isfinite(times_s).all(axis=1)
    return packed(SideInBeats(whole, features))


@cache
def frontend() -> BeatFrontend:
    """Return the one that all sides of this process are read with."""
    return BeatFrontend().eval()


def _added(total: np.ndarray, wave: np.ndarray) -> np.ndarray:
    longer, shorter = (total, wave) if len(total) >= len(wave) else (wave, total)
    longer = longer.copy()
    longer[: len(shorter)] += shorter
    return longer


def packed(side: SideInBeats) -> np.ndarray:
    """Return the rows of a side as they lie on disk, (bars, 1 + numbers)."""
    found = side.features
    numbers = [
        part.flatten(2) if part.ndim > 2 else part[..., None]
        for part in (found.onsets, found.pitches, found.level, found.brightness)
    ]
    flat = torch.cat(numbers, -1).flatten(1).numpy()
    return np.concatenate([side.whole[:, None].astype(np.float32), flat], 1)


def unpacked(rows: np.ndarray, metre: int) -> SideInBeats:
    """Return what rows say, (bars, 1 + numbers), of bars of so many beats."""
    numbers = torch.from_numpy(np.ascontiguousarray(rows[:, 1:])).unflatten(1, (metre, _PER_BEAT))
    sizes = [int(np.prod(shape)) for shape in _SHAPES]
    parts = [
        part.unflatten(-1, shape) if shape else part[..., 0]
        for part, shape in zip(numbers.split(sizes, -1), _SHAPES, strict=True)
    ]
    return SideInBeats(rows[:, 0] > 0.5, BeatFeatures(*parts))
