"""How well estimated sections agree with annotated ones (mir_eval.segment)."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Sequence

import numpy as np
from mir_eval import segment

from mashnet.music.sections import Section

Boundaries = tuple[float, float, float]


def boundary_hits(
    reference: Sequence[Section], estimated: Sequence[Section], window_s: float
) -> Boundaries:
    """Return precision, recall and F-measure of the boundaries of one clip.

    A boundary is right if an annotated one lies within the window, each counted once. The
    beginning and the end of the clip, which are always right, do not count.

    Args:
        reference: annotated sections, at least two, without gaps.
        estimated: the sections to judge.
        window_s: how far off a boundary may be.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one section has no boundaries, and F is then 0
        return segment.detection(
            _intervals(reference), _intervals(estimated), window=window_s, trim=True
        )


def label_agreement(reference: Sequence[Section], estimated: Sequence[Section]) -> float:
    """Return the share of the time for which both have the same label."""
    edges = sorted({time for s in (*reference, *estimated) for time in (s.start_s, s.end_s)})
    same = 0.0
    for start_s, end_s in itertools.pairwise(edges):
        middle_s = (start_s + end_s) / 2
        if _label_at(reference, middle_s) == _label_at(estimated, middle_s):
            same += end_s - start_s
    return same / (edges[-1] - edges[0])


def every_eighth_bar(downbeats: Sequence[float], duration_s: float) -> list[Section]:
    """Return sections of eight bars: what somebody who has not listened would say."""
    starts = [0.0, *(time for time in downbeats[8::8] if 0 < time < duration_s), duration_s]
    return [Section(a, b, "verse") for a, b in itertools.pairwise(starts)]


def _intervals(sections: Sequence[Section]) -> np.ndarray:
    return np.array([[section.start_s, section.end_s] for section in sections])


def _label_at(sections: Sequence[Section], time_s: float) -> str:
    return next((s.label for s in sections if s.start_s <= time_s < s.end_s), "")
