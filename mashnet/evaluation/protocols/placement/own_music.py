"""The first part of the protocol: everybody is asked about own music, in every way they can be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mashnet.evaluation.protocols.placement.answers import (
    KNOWN,
    Answers,
    ask,
    judges_unmoved,
    ways_of,
)
from mashnet.evaluation.protocols.placement.measures import Asked
from mashnet.evaluation.protocols.placement.moved import NAME as MOVED
from mashnet.evaluation.protocols.placement.moved import ask_moved
from mashnet.evaluation.protocols.placement.questions import Questions
from mashnet.evaluation.subjects.phrases import PhraseSource
from mashnet.models.scorer import Scorer


@dataclass(frozen=True)
class OwnMusic:
    """What Scorers make of it.

    Attributes:
        questions: of each length.
        answers: what tables call a Scorer → its answers; in the order of the Scorers.
        rendering_s: seconds of rendering per pair, for those that were given moved parts.
    """

    questions: Sequence[Questions]
    answers: Mapping[str, Mapping[Asked, Answers]]
    rendering_s: float


def table_name(scorer: Scorer) -> str:
    """Return what tables call a Scorer: they say if it was given moved parts."""
    return scorer.name if judges_unmoved(scorer) else MOVED.format(scorer.name)


def ask_all(
    scorers: Sequence[Scorer], source: PhraseSource, questions: Sequence[Questions]
) -> OwnMusic:
    """Put all questions to all Scorers; those that cannot judge unmoved parts get moved ones."""
    answers: dict[str, dict[Asked, Answers]] = {table_name(scorer): {} for scorer in scorers}
    to_move = [scorer for scorer in scorers if not judges_unmoved(scorer)]
    spent_s, pairs = 0.0, 0
    for asked in questions:
        for scorer in scorers:
            if not judges_unmoved(scorer):
                continue
            for way in ways_of(scorer):
                if asked.apart is not None or not way.apart:
                    answers[scorer.name][way, asked.bars] = ask(scorer, asked, way)
        if to_move:
            found = ask_moved(to_move, source, asked)
            spent_s += found.rendering_s * asked.shown.size
            pairs += asked.shown.size
            for name, given in found.answers.items():
                answers[name][KNOWN, asked.bars] = given
    return OwnMusic(questions, answers, spent_s / max(pairs, 1))


def facts_of_result(own: OwnMusic, scorer: Scorer) -> dict[str, Any]:
    """Return what stands beside a Scorer's figures: how much was asked, and at what cost."""
    facts: dict[str, Any] = {
        "windows": {str(asked.bars): len(asked.windows) for asked in own.questions},
        "songs": {str(a.bars): len({w.song for w in a.windows}) for a in own.questions},
        "groups": {str(a.bars): len(set(a.groups)) for a in own.questions},
        "candidates": {str(asked.bars): asked.shown.shape[1] for asked in own.questions},
    }
    if not judges_unmoved(scorer):
        facts["rendering_s_per_pair"] = round(own.rendering_s, 4)
    return facts


def rows_of(own: OwnMusic) -> list[dict[str, Any]]:
    """Return a row per Scorer, way and window, for the table of scores; places as counts."""
    windows = {asked.bars: asked.windows for asked in own.questions}
    return [
        {
            "scorer": name,
            "asked": "own music",
            "way": way.suffix.strip("_") or "known",
            "bars": bars,
            "window": window.window_id,
            "song_id": window.song,
            "group": window.group,
            "exact": window.is_exact,
            "score": float(given.scores[index]),
            "better": int(given.placement.better[index]),
            "tied": int(given.placement.tied[index]),
            "candidates": int(given.placement.candidates[index]),
        }
        for name, found in own.answers.items()
        for (way, bars), given in found.items()
        for index, window in enumerate(windows[bars])
    ]


def notes_of(own: OwnMusic) -> list[str]:
    """Say what was asked, and what a reader should know of it."""
    notes = []
    for asked in own.questions:
        songs = len({window.song for window in asked.windows})
        notes.append(
            f"{asked.bars} bars: {len(asked.windows)} windows of {songs} songs in "
            f"{len(set(asked.groups))} groups, each beside {asked.shown.shape[1] - 1} of other "
            f"songs."
        )
        if asked.apart is not None:
            notes.append(
                f"{asked.bars} bars, apart: {int(asked.lost.sum())} of {len(asked.windows)} "
                f"windows have no counterpart in what a half of their clip says; they count as "
                f"not found."
            )
    exact = {window.is_exact for asked in own.questions for window in asked.windows}
    if len(exact) == 1:
        notes.append(
            f"{'All' if exact.pop() else 'No'} keys are annotated as exact (key_confidence 1), so "
            f"that songs with exact and with estimated annotations are not told apart. A database "
            f"does not say which beats are exact: the key's confidence stands for both."
        )
    else:
        notes.append(
            "Figures ending in _exact are of songs whose key is annotated as exact "
            "(key_confidence 1). A database does not say which beats are exact: the key's "
            "confidence stands for both."
        )
    if own.rendering_s:
        notes.append(
            f"Scorers marked as moved were told key, tempo and bars; rendering took "
            f"{own.rendering_s:.2f} s per pair."
        )
    return notes
