"""Does a Scorer find where a phrase belongs? What it answers, and figures of that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mashnet.errors import ConfigError
from mashnet.evaluation.protocols.placement.answers import KNOWN, OPEN, Way, believing_keys, ways_of
from mashnet.evaluation.protocols.placement.measures import Column
from mashnet.evaluation.protocols.placement.places import (
    AS_IT_IS,
    DOUBLE_TIME,
    HALF_TIME,
    LEVELS,
    PlaceQuestion,
)
from mashnet.evaluation.results import Metric
from mashnet.models.scorer import Scorer
from mashnet.music.placement import Placement
from mashnet.progress import Progress

EXACT, REPEATED, NEAR, KEY = (
    "place_exact",
    "place_exact_or_repeated",
    "place_within_a_bar",
    "place_right_key",
)
LEVEL_SUFFIXES = {AS_IT_IS: "", HALF_TIME: "_half_time", DOUBLE_TIME: "_double_time"}
_LEVEL_WORDS = {
    AS_IT_IS: "its beats counted as the music's",
    HALF_TIME: "its beats counted in half time",
    DOUBLE_TIME: "its beats counted in double time",
}
Asked = tuple[Way, float]  # how keys are believed, and the level at which the guest is counted


@dataclass(frozen=True)
class FoundPlace:
    """Where a Scorer lays a phrase.

    Attributes:
        bar: of the base on which the phrase begins; NaN where it was not laid at all.
        semitones: by which the phrase goes up.
        level: at which its beats are counted.
    """

    bar: float
    semitones: int
    level: float


NOWHERE = FoundPlace(float("nan"), 0, 0.0)


def can_place(scorer: Scorer) -> bool:
    """Return whether a Scorer says where phrases would be laid."""
    return callable(getattr(scorer, "place", None))


def find(scorer: Any, questions: Sequence[PlaceQuestion]) -> dict[Asked, list[FoundPlace]]:
    """Ask a Scorer that can place where each phrase belongs, in each way, at each level."""
    ways = [way for way in ways_of(scorer) if way in (KNOWN, OPEN)]
    found: dict[Asked, list[FoundPlace]] = {}
    total = len(ways) * len(LEVELS) * len(questions)
    with Progress(total=total, desc=f"{scorer.name}: places", unit="phrase") as bar:
        for way in ways:
            with believing_keys(scorer, way):
                for level in LEVELS:
                    found[way, level] = []
                    for question in questions:
                        found[way, level].append(_find(scorer, question, level))
                        bar.update()
    return found


def _find(scorer: Any, question: PlaceQuestion, level: float) -> FoundPlace:
    try:
        place: Placement = scorer.place(question.base, question.at_level(level))
    except ConfigError:  # it does not compare the two
        return NOWHERE
    bar = question.bar_of(place.base_bar, place.guest_bar, level)
    return FoundPlace(bar, place.semitones, place.tempo_level)


def place_columns(
    found: Mapping[Asked, Sequence[FoundPlace]], questions: Sequence[PlaceQuestion]
) -> dict[str, Column]:
    """Return what is averaged, name by name."""
    groups = [question.window.group for question in questions]
    columns: dict[str, Column] = {}
    for (way, level), places in found.items():
        marks = [
            _marks(place, question, level)
            for place, question in zip(places, questions, strict=True)
        ]
        for name in (EXACT, REPEATED, NEAR, KEY):
            if name == KEY and not way.open_key:
                continue  # it was told
            values = np.array([mark[name] for mark in marks], float)
            columns[name + LEVEL_SUFFIXES[level] + way.suffix] = values, groups
    return columns


def _marks(place: FoundPlace, question: PlaceQuestion, level: float) -> dict[str, bool]:
    off = place.bar - question.window.bar
    in_key = place is not NOWHERE and (place.semitones + question.semitones) % 12 == 0
    right = in_key and place.level == level
    return {
        EXACT: right and off == 0,
        REPEATED: right and place.bar in question.places[question.alike],
        NEAR: abs(off) <= 1,
        KEY: in_key,
    }


def place_meanings(names: Sequence[str], questions: Sequence[PlaceQuestion]) -> dict[str, Metric]:
    """Return what the figures mean, and what is found by drawing a place and a key."""
    if not questions:
        return {}
    every = [question.places for question in questions]
    one = float(np.mean([1 / len(places) for places in every]))
    same = float(np.mean([question.alike.mean() for question in questions]))
    near = float(np.mean([(np.abs(q.places - q.window.bar) <= 1).mean() for q in questions]))
    said = {
        EXACT: ("on exactly the bar where it belongs, in its key", one, True),
        REPEATED: (
            "there, or on a bar from which the music is the same for all of the phrase",
            same,
            True,
        ),
        NEAR: ("at most a bar from where it belongs, in whatever key", near, False),
        KEY: ("in its key, wherever", 1.0, True),
    }
    found: dict[str, Metric] = {}
    for way in (KNOWN, OPEN):
        keys = 12 if way.open_key else 1
        for level, suffix in LEVEL_SUFFIXES.items():
            for name, (words, chance, is_keyed) in said.items():
                found[name + suffix + way.suffix] = Metric(
                    f"Share of phrases of a vocal, cut out and shifted, that are laid {words} "
                    f"({_LEVEL_WORDS[level]}; {way.words}).",
                    chance / keys if is_keyed else chance,
                    level == AS_IT_IS and name in (EXACT, REPEATED),
                )
    return {name: metric for name, metric in found.items() if name in names}


def place_rows(
    name: str, found: Mapping[Asked, Sequence[FoundPlace]], questions: Sequence[PlaceQuestion]
) -> list[dict[str, Any]]:
    """Return a row per way, level and phrase, for the table of scores."""
    return [
        {
            "scorer": name,
            "asked": "place",
            "way": way.suffix.strip("_") or "known",
            "level": level,
            "window": question.window.window_id,
            "song_id": question.window.song,
            "group": question.window.group,
            "bar": question.window.bar,
            "bar_found": place.bar,
            "semitones": -question.semitones,
            "semitones_found": place.semitones,
            "level_found": place.level,
        }
        for (way, level), places in found.items()
        for place, question in zip(places, questions, strict=True)
    ]
