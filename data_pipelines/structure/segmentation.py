"""Where a song's sections begin, and which is the verse and which the chorus.

Boundaries lie where the bars before and after differ (novelty along the main diagonal of the
self-similarity matrix; Foote, ICME 2000) and where repetitions begin or end (structure features;
Serrà, Müller, Grosche and Arcos, IEEE TMM 2014). Dynamic programming picks those that add up to
most, with sections of four, eight or sixteen bars preferred. Sections that sound alike are one
kind; who sings, how loud and how often say which.

Conventions: a boundary is the index of the bar that it comes before; 0 and the number of bars are
boundaries. Bars are `data_pipelines.structure.features.Bars`.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.ndimage import gaussian_filter

from data_pipelines.structure.features import Bars
from mashnet.audio.numba_imports import compiling_alone
from mashnet.data.mashupdb import ROLES
from mashnet.music.sections import Section

with compiling_alone():
    import librosa.segment
    import librosa.util.utils


_LEVEL_RANGE_DB = 40.0  # what is this much below a role's loudest bar counts as silent
_DB_PER_UNIT = 10.0  # how much louder is as different as one standard deviation of timbre
_HARMONY_WEIGHT = 3.0
_SOUND_BARS = 2  # compared on either side of a bar line
_HARMONY_BARS = 4  # a progression: within it, chords differ from bar to bar
_REPETITION_WEIGHT = 0.5
_BOUNDARY_COST = 1.4  # a little less than the mean of both novelties together
_MIN_BARS, _MAX_BARS = 2, 64  # of a section
_MIN_REPEATING_BARS = 8  # shorter songs have no repetition to speak of
_SAME = 0.5  # sections nearer than this share of the spread of their bars are of one kind
_SINGING_DB = 20.0  # a bar is sung if its vocal is at most this much below the loudest
_QUIET_DB = 3.0  # a beginning this much below all that follows is an intro, whoever plays


def find_sections(bars: Bars, duration_s: float) -> list[Section]:
    """Return the sections of a song, which cover it without gaps.

    Args:
        bars: of the song, at least one.
        duration_s: when it ends.
    """
    borders = boundaries(bars)
    inner = [float(bars.start_s[border]) for border in borders[1:-1]]
    times = itertools.pairwise([0.0, *inner, duration_s])
    names = labels(bars, borders)
    return [Section(*span, name) for span, name in zip(times, names, strict=True)]


def boundaries(bars: Bars) -> list[int]:
    """Return the bars before which a section begins, from 0 to the number of bars.

    Sections begin on known downbeats only and have at least two bars; a bar before the first
    downbeat is a pickup and belongs to the first section.
    """
    count = len(bars)
    gains = _novelty(*_descriptors(bars)) + _REPETITION_WEIGHT * _repetition(bars.chroma)
    gains = np.append(gains - _BOUNDARY_COST, 0.0)  # the end costs nothing
    gains[:count][~bars.on_downbeat] = -np.inf
    pickup = int(count > 1 and not bars.on_downbeat[0] and bars.on_downbeat[1])
    best = np.full(count + 1, -np.inf)
    best[0] = 0.0
    came_from = np.zeros(count + 1, int)
    for end in range(1, count + 1):
        for start in range(max(0, end - _MAX_BARS), end):
            length = end - start - (pickup if start == 0 else 0)
            if length < _MIN_BARS and not (start == 0 and end == count):
                continue
            value = best[start] + gains[end] + _length_prior(length)
            if value > best[end]:
                best[end], came_from[end] = value, start
    found = [count]
    while found[-1] > 0:
        found.append(int(came_from[found[-1]]))
    return found[::-1]


def labels(bars: Bars, borders: Sequence[int]) -> list[str]:
    """Return what each section between two boundaries is.

    Sung sections that sound alike are one kind. Of the kinds that come back, the loudest is the
    chorus, the others are verses; one that comes once, late but not last, is a bridge. What
    nobody sings is the intro at the beginning, the outro at the end, and instrumental between.
    Where all sung sections are of one kind, they are verses. Where nobody ever sings, all
    sections are treated as if they were sung, and a beginning and an end are told by being quiet.
    """
    spans = list(itertools.pairwise(borders))
    vocal_db = bars.level_db[:, ROLES.index("vocal")]
    sung_bars = vocal_db > max(vocal_db.max() - _SINGING_DB, bars.mix_db.max() - _LEVEL_RANGE_DB)
    power = 10 ** (bars.mix_db / 10)
    sung = [number for number, (a, b) in enumerate(spans) if sung_bars[a:b].mean() > 0.5]
    loudness = np.array([power[slice(*span)].mean() for span in spans])
    if not sung:
        ends = {0, len(spans) - 1}
        faint = 10 ** (-_QUIET_DB / 10) * min(loudness[1:-1], default=0.0)
        sung = [n for n in range(len(spans)) if n not in ends or loudness[n] > faint]
    names = ["inst"] * len(spans)
    kinds = _kinds(bars, [spans[number] for number in sung])
    members = {kind: [sung[i] for i in np.flatnonzero(kinds == kind)] for kind in set(kinds)}
    returning = [kind for kind in members if len(members[kind]) > 1] or list(members)
    chorus = max(
        returning,
        key=lambda kind: loudness[members[kind]].mean(),
        default=None,
    )
    for kind, numbers in members.items():
        for number in numbers:
            once = len(numbers) == 1 and len(members) > 2
            late = len(spans) // 2 <= number < len(spans) - 1
            names[number] = "bridge" if once and late else "verse"
            if kind == chorus and len(members) > 1:
                names[number] = "chorus"
    if sung and 0 not in sung:
        names[0] = "intro"
    if sung and len(spans) > 1 and len(spans) - 1 not in sung:
        names[-1] = "outro"
    return names


def _descriptors(bars: Bars) -> tuple[np.ndarray, np.ndarray]:
    """Return what is compared between bars: levels and timbre, and harmony, (bars, features)."""
    levels = np.column_stack([bars.level_db, bars.mix_db])
    levels = np.maximum(levels, levels.max(axis=0) - _LEVEL_RANGE_DB)
    # A role that never sounds must not move with the floor of the others.
    levels = np.maximum(levels, bars.mix_db.max() - 1.5 * _LEVEL_RANGE_DB)
    timbre = bars.timbre - bars.timbre.mean(axis=0)
    timbre /= max(float(timbre.std(axis=0).mean()), 1e-9) * np.sqrt(timbre.shape[1])
    harmony = bars.chroma.mean(axis=1)
    return np.column_stack([levels / _DB_PER_UNIT, timbre]), _HARMONY_WEIGHT * harmony


def _novelty(sound: np.ndarray, harmony: np.ndarray) -> np.ndarray:
    """Return how different what follows each bar line is from what came before, (bars,).

    The distance between the means of two stretches is what a checkerboard kernel reads off the
    diagonal of a matrix of squared distances. The mean over the song is 1.
    """
    steps = np.hypot(_steps(sound, _SOUND_BARS), _steps(harmony, _HARMONY_BARS))
    return _unit_mean(steps)


def _steps(described: np.ndarray, reach_bars: int) -> np.ndarray:
    """Return the distance between the means of so many bars before and after each bar line."""
    steps = np.zeros(len(described))
    for at in range(1, len(described)):
        before = described[max(0, at - reach_bars) : at]
        after = described[at : at + reach_bars]
        # At the ends there is less to compare, and a difference means less.
        weight = np.sqrt(min(len(before), len(after)) / reach_bars)
        steps[at] = weight * np.linalg.norm(before.mean(axis=0) - after.mean(axis=0))
    return steps


def _repetition(chroma: np.ndarray) -> np.ndarray:
    """Return how much what is repeated changes at each bar line, (bars,); its mean is 1.

    Args:
        chroma: beat by beat, (bars, beats, 12).
    """
    count = len(chroma)
    if count < _MIN_REPEATING_BARS:
        return np.zeros(count)
    bars = chroma.reshape(count, -1) / np.sqrt(chroma.shape[1])
    apart = np.maximum(1 - bars @ bars.T, 0.0)
    np.fill_diagonal(apart, np.inf)
    apart[np.arange(1, count), np.arange(count - 1)] = np.inf  # a bar and the next one
    apart[np.arange(count - 1), np.arange(1, count)] = np.inf
    # Not librosa's recurrence matrix: it takes bars that are exactly equal for strangers, and
    # fails where all are. A bar is alike in few places, and the likeness must be mutual.
    neighbours = max(2, count // 8)
    farthest = np.partition(apart, neighbours - 1, axis=1)[:, neighbours - 1]
    near = (apart <= farthest[:, None]) & (apart <= farthest)
    scale = max(float(np.median(farthest)), 1e-3)
    affinity = np.where(near, np.exp(-np.where(near, apart, 0.0) / scale), 0.0)
    lags = librosa.segment.recurrence_to_lag(affinity, pad=True)
    smooth = gaussian_filter(lags, (0.3, 1.5))
    changes = np.linalg.norm(np.diff(smooth, axis=1), axis=0)
    return _unit_mean(np.append(0.0, changes))


def _unit_mean(novelty: np.ndarray) -> np.ndarray:
    mean = float(novelty[1:].mean()) if len(novelty) > 1 else 0.0
    return novelty / mean if mean > 1e-9 else np.zeros_like(novelty)


def _length_prior(bars: int) -> float:
    """Return how likely a length in bars is, as a bonus: phrases have four bars, or eight."""
    bonus = 0.15 * (bars % 4 == 0) + 0.15 * (bars % 8 == 0) - 0.3 * (bars % 2)
    return bonus - 0.3 * (bars < 4) - 0.1 * max(0, bars - 16)


def _kinds(bars: Bars, spans: Sequence[tuple[int, int]]) -> np.ndarray:
    """Return the number of the kind that each section is of, (sections,)."""
    if len(spans) < 2:
        return np.ones(len(spans), int)
    described = np.column_stack(_descriptors(bars))
    means = np.stack([described[start:end].mean(axis=0) for start, end in spans])
    spread = np.mean(
        [
            np.linalg.norm(described[start:end] - mean, axis=1).mean()
            for (start, end), mean in zip(spans, means, strict=True)
        ]
    )
    return fcluster(linkage(means, "average"), max(_SAME * spread, 1e-9), "distance")
