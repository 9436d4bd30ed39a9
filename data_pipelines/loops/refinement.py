"""One clip → its distinct loops and which of them sound together (Chen et al., ISMIR 2020).

Loops come from the mix, by decomposition, or are the bars of the stems.

Two loops are duplicates where the average hashes of their log-mels, both 2 s long, differ in fewer
than 5 of 64 bits. Of duplicates the best one stays and their layouts are added up; a bar's layouts
are divided by their L2 norm; loops that both exceed a threshold in some bar make a pair.

Conventions: sound is mono float32 at 44.1 kHz; bars go by their number in the clip, from 0.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from data_pipelines.loops.extraction import Bar, bar_spectrum, extract_loops, snr_db, sounds
from data_pipelines.loops.kinds import kind_by_sound
from mashnet.audio.io import read_audio
from mashnet.audio.levels import rms_db
from mashnet.audio.stretch import stretch
from mashnet.data.loops.loops import (
    BEATS,
    DUPLICATE_BITS,
    LOOP_SAMPLES,
    SAMPLE_RATE,
    average_hash,
    hash_distance,
    log_mel_of,
)


@dataclass(frozen=True)
class Loop:
    """A loop of a clip, on its way into loops.parquet."""

    bar: int  # of the clip, from 0
    kind: str
    samples: np.ndarray  # (88200,)
    hash: str
    quality: float  # the best of duplicates stays: SNR in dB, or the level in dBFS
    snr_db: float
    layout: np.ndarray  # (bars of the clip,), >= 0
    bar_s: float


@dataclass(frozen=True)
class Part:
    """A stem of a clip, and what kind it is; None where that is unknown."""

    path: Path
    kind: str | None

    def read(self) -> np.ndarray:
        """Return its samples, shape (samples,).

        Raises:
            AudioError: if the file cannot be read.
        """
        return read_audio(self.path, sample_rate=SAMPLE_RATE, mono=True)[0][0]


def mix_of(parts: Sequence[Part]) -> np.ndarray:
    """Return the sum of stems, shape (samples,), as long as the longest.

    Raises:
        AudioError: if a file cannot be read.
    """
    mix = np.zeros(0, np.float32)
    for part in parts:
        stem = part.read()
        mix = np.pad(mix, (0, max(0, len(stem) - len(mix))))
        mix[: len(stem)] += stem
    return mix


def loops_of_mix(
    mix: np.ndarray,
    parts: Sequence[Part],
    bars: Mapping[int, Bar],
    count: int,
    *,
    engine: str,
    max_iterations: int,
) -> list[Loop]:
    """Return the distinct components of a mix; layouts are shares of their bar's L2 norm.

    A loop's kind is that of the stems that hold most of the power under its mask.

    Args:
        mix: shape (samples,).
        parts: the stems that it is the sum of.
        bars: those that sound.
        count: of all bars of the clip.
        engine: that stretches loops to 2 s.
        max_iterations: of the decomposition.
    """
    numbers = list(bars)
    found = extract_loops(mix, list(bars.values()), max_iterations=max_iterations)
    power: dict[str | None, np.ndarray] = {}
    for part in parts:  # one at a time: all of a long clip at once would fill the memory
        stem = part.read()
        total = power.setdefault(part.kind, np.zeros(len(found)))
        for index, loop in enumerate(found):
            spectrum = loop.mask * bar_spectrum(stem, bars[numbers[loop.bar]])
            total[index] += float(np.square(np.abs(spectrum)).sum())
    loops = []
    for index, loop in enumerate(found):
        _, most = max((total[index], kind or "") for kind, total in power.items())
        kind = most or kind_by_sound(loop.samples)
        layout = np.zeros(count)
        layout[numbers] = loop.activation
        loops.append(
            _loop(
                loop.samples,
                bar=numbers[loop.bar],
                kind=kind,
                quality=loop.snr_db,
                ratio_db=loop.snr_db,
                layout=layout,
                engine=engine,
            )
        )
    distinct = without_duplicates(loops)
    if not distinct:
        return []
    layouts = normalised(np.stack([loop.layout for loop in distinct]))
    return [replace(loop, layout=layout) for loop, layout in zip(distinct, layouts, strict=True)]


def loops_of_stems(
    mix: np.ndarray, parts: Sequence[Part], bars: Mapping[int, Bar], count: int, *, engine: str
) -> list[Loop]:
    """Return the distinct bars of stems, each its loudest; layouts are 1 where such a bar sounds.

    The arguments are those of `loops_of_mix`.
    """
    distinct = []
    for part in parts:
        stem = part.read()
        level_db = {n: rms_db(stem[slice(*bar)]) for n, bar in bars.items() if sounds(stem, bar)}
        if not level_db:
            continue
        loudest = max(level_db, key=level_db.__getitem__)
        kind = part.kind or kind_by_sound(stem[slice(*bars[loudest])])
        loops = []
        for number, level in level_db.items():
            samples = stem[slice(*bars[number])]
            loops.append(
                _loop(
                    samples,
                    bar=number,
                    kind=kind,
                    quality=level,
                    ratio_db=snr_db(mix[slice(*bars[number])], samples),
                    layout=np.eye(count)[number],
                    engine=engine,
                )
            )
        distinct += without_duplicates(loops)
    # Once more for all stems: a doubled part would make a pair of a loop with itself.
    return [replace(v, layout=np.minimum(v.layout, 1.0)) for v in without_duplicates(distinct)]


def _loop(
    samples: np.ndarray,
    *,
    bar: int,
    kind: str,
    quality: float,
    ratio_db: float,
    layout: np.ndarray,
    engine: str,
) -> Loop:
    stretched = of_loop_length(samples, kind=kind, engine=engine)
    return Loop(
        bar=bar,
        kind=kind,
        samples=stretched,
        hash=hash_of(stretched),
        quality=quality,
        snr_db=ratio_db,
        layout=layout,
        bar_s=len(samples) / SAMPLE_RATE,
    )


def of_loop_length(samples: np.ndarray, *, kind: str, engine: str) -> np.ndarray:
    """Stretch one bar, shape (samples,), to exactly 2 s, shape (88200,).

    Raises:
        ConfigError: if it is more than ten times too long or too short.
    """
    ratio = len(samples) / LOOP_SAMPLES
    if ratio == 1:
        return samples
    # Engines need sound before an onset: alone, the first one came late or lost half its energy.
    beat = len(samples) // BEATS
    around = np.concatenate([samples[-beat:], samples, samples[:beat]])
    stretched = stretch(
        around[None], SAMPLE_RATE, tempo_ratio=ratio, engine=engine, pitched=kind != "drum"
    )
    first = round(beat / ratio)
    return np.ascontiguousarray(stretched[0, first : first + LOOP_SAMPLES])


def hash_of(samples: np.ndarray) -> str:
    """Return the average hash of a loop's log-mel, the loop of shape (88200,)."""
    return average_hash(log_mel_of(samples))


def without_duplicates(loops: Sequence[Loop]) -> list[Loop]:
    """Return the best loop of each group of duplicates, with the sum of their layouts.

    A group is the first loop that is in none yet and all such loops that are its duplicates. Being
    a duplicate is not handed on from one to the next: through enough steps anything would be.
    """
    kept = []
    left = list(loops)
    while left:
        group = [loop for loop in left if hash_distance(loop.hash, left[0].hash) < DUPLICATE_BITS]
        members = {id(loop) for loop in group}
        left = [loop for loop in left if id(loop) not in members]
        best = max(group, key=lambda loop: loop.quality)  # the first of equals
        kept.append(replace(best, layout=np.sum([loop.layout for loop in group], axis=0)))
    return kept


def normalised(layouts: np.ndarray) -> np.ndarray:
    """Divide each bar of layouts (loops, bars) by its L2 norm; where nothing sounds it stays 0."""
    norm = np.linalg.norm(layouts, axis=0)
    return np.divide(layouts, norm, out=np.zeros_like(layouts), where=norm > 0)


def co_occurring(layouts: np.ndarray, threshold: float) -> list[tuple[int, int]]:
    """Return which loops (i, j), i < j, both exceed the threshold in some bar.

    Args:
        layouts: shape (loops, bars).
        threshold: of the normalised layouts; the paper's is 0.2.
    """
    sounding = np.asarray(layouts) > threshold
    pairs = itertools.combinations(range(len(sounding)), 2)
    return [(one, other) for one, other in pairs if (sounding[one] & sounding[other]).any()]
