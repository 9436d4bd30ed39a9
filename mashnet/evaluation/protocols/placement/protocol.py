"""Are pairs judged, and placed, before anything is moved?

(a) A phrase of a vocal asks for its own music among phrases of other songs. Everything lies as it
    is, each side in its own key and tempo, and parts know their beats and keys. Annotations are
    believed in four ways (`answers.WAYS`): own pairs share one estimate, whose errors cancel for
    them and not for strangers, so that who believes it is flattered. Scorers that hear only what
    has been moved are given the truth about where, at the cost of rendering every pair.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from mashnet.errors import ConfigError
from mashnet.evaluation.protocols.placement.answers import (
    KNOWN,
    Answers,
    ask,
    judges_unmoved,
    ways_of,
)
from mashnet.evaluation.protocols.placement.figures import found_plot
from mashnet.evaluation.protocols.placement.measures import (
    Asked,
    columns,
    compare,
    estimates,
    meanings,
)
from mashnet.evaluation.protocols.placement.moved import NAME as MOVED
from mashnet.evaluation.protocols.placement.moved import ask_moved
from mashnet.evaluation.protocols.placement.questions import Questions, all_questions
from mashnet.evaluation.results import Outcome, ScorerResult
from mashnet.evaluation.statistics import Bootstrap
from mashnet.evaluation.subjects.phrases import PhraseSource
from mashnet.models.scorer import Scorer

NAME = "placement"
VIEW = "phrases"


def can_ask(scorer: Scorer, settings: Mapping[str, Any]) -> bool:
    """Return whether a Scorer can be asked with these settings of the protocol."""
    return judges_unmoved(scorer) or bool(settings.get("moved"))


def run(
    scorers: Sequence[Scorer],
    source: PhraseSource,
    *,
    bootstrap: Bootstrap,
    bars: Sequence[int] = (8, 4, 16),
    max_windows: int | None = None,
    apart: bool = False,
    moved: bool = False,
    seed: int = 0,
) -> Outcome:
    """Let vocals look for their own music.

    Args:
        scorers: whom to ask; the first is compared with each other.
        source: the phrases.
        bootstrap: how intervals are made; groups of songs are drawn, candidates stay.
        bars: how long phrases are.
        max_windows: of each length at most so many, drawn evenly; None: all.
        apart: whether beats and key are also estimated from different halves of a clip.
        moved: whether Scorers are asked that hear only what has been moved.
        seed: of the draws.

    Raises:
        ConfigError: if a setting is not allowed, or a Scorer has to be given moved parts.
        DatabaseError: if there are no two songs with such phrases.
    """
    if not bars or min(bars) < 1 or (max_windows is not None and max_windows < 2):
        raise ConfigError(
            f"protocol.bars={list(bars)} must be lengths in bars, and "
            f"protocol.max_windows={max_windows} at least 2"
        )
    _require_unmoved(scorers, moved)
    questions = all_questions(
        source, list(dict.fromkeys(bars)), max_windows=max_windows, apart=apart, seed=seed
    )
    answers, seconds = _answers(scorers, source, questions, apart=apart)
    figures = {name: columns(found, questions) for name, found in answers.items()}
    values = {name: estimates(found, bootstrap) for name, found in figures.items()}
    return Outcome(
        protocol=NAME,
        title="Does a phrase find its own music before anything is moved?",
        summary=(
            "A phrase of a vocal and phrases of music, each in its own key and tempo: which music "
            "is the vocal's own? Who judges unmoved parts needs no rendering; who does not is "
            "given each pair rendered where it belongs."
        ),
        results=[
            ScorerResult(
                NAME,
                name,
                source.name,
                source.split,
                found,
                _facts(questions, seconds if name not in _unmoved_names(scorers) else None),
            )
            for name, found in values.items()
        ],
        metrics=meanings(list(dict.fromkeys(n for v in values.values() for n in v)), questions),
        scores=_table(answers, questions),
        plots=[found_plot(values, questions)],
        comparisons=compare(figures, bootstrap),
        notes=[*_notes(questions, seconds, apart=apart), *source.left_out()],
        compared="Both Scorers are measured on the same drawn groups of songs (paired bootstrap).",
    )


def _require_unmoved(scorers: Sequence[Scorer], moved: bool) -> None:
    refused = [scorer.name for scorer in scorers if not can_ask(scorer, {"moved": moved})]
    if refused:
        raise ConfigError(
            f"{', '.join(refused)}: hears only parts that have been moved to each other's key and "
            f"tempo, so that every pair would have to be rendered; protocol.moved=true does that "
            f"(seconds per question), protocol.max_windows=… makes it fewer"
        )


def _unmoved_names(scorers: Sequence[Scorer]) -> set[str]:
    return {scorer.name for scorer in scorers if judges_unmoved(scorer)}


def _answers(
    scorers: Sequence[Scorer],
    source: PhraseSource,
    questions: Sequence[Questions],
    *,
    apart: bool,
) -> tuple[dict[str, dict[Asked, Answers]], float]:
    """Return what each Scorer answers, in the order of Scorers, and seconds of rendering a pair."""
    unmoved = _unmoved_names(scorers)
    names = [s.name if s.name in unmoved else MOVED.format(s.name) for s in scorers]
    answers: dict[str, dict[Asked, Answers]] = {name: {} for name in names}
    to_move = [scorer for scorer in scorers if scorer.name not in unmoved]
    spent, pairs = 0.0, 0
    for asked in questions:
        for scorer in scorers:
            if scorer.name in unmoved:
                for way in ways_of(scorer):
                    if apart or not way.apart:
                        answers[scorer.name][way, asked.bars] = ask(scorer, asked, way)
        if to_move:
            found = ask_moved(to_move, source, asked)
            spent += found.rendering_s * asked.shown.size
            pairs += asked.shown.size
            for name, given in found.answers.items():
                answers[name][KNOWN, asked.bars] = given
    return answers, spent / max(pairs, 1)


def _facts(questions: Sequence[Questions], rendering_s: float | None) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "windows": {str(asked.bars): len(asked.windows) for asked in questions},
        "songs": {str(a.bars): len({w.song for w in a.windows}) for a in questions},
        "groups": {str(a.bars): len(set(a.groups)) for a in questions},
        "candidates": {str(asked.bars): asked.shown.shape[1] for asked in questions},
    }
    if rendering_s is not None:
        facts["rendering_s_per_pair"] = round(rendering_s, 4)
    return facts


def _table(
    answers: Mapping[str, Mapping[Asked, Answers]], questions: Sequence[Questions]
) -> pl.DataFrame:
    """Return one row per Scorer, way and window; places are kept as counts."""
    windows = {asked.bars: asked.windows for asked in questions}
    frames = []
    for name, found in answers.items():
        for (way, bars), given in found.items():
            of_bars = windows[bars]
            frames.append(
                pl.DataFrame(
                    {
                        "scorer": [name] * len(of_bars),
                        "way": [way.suffix.strip("_") or "known"] * len(of_bars),
                        "bars": [bars] * len(of_bars),
                        "window": [window.window_id for window in of_bars],
                        "song_id": [window.song for window in of_bars],
                        "group": [window.group for window in of_bars],
                        "exact": [window.is_exact for window in of_bars],
                        "score": given.scores,
                        "better": given.placement.better,
                        "tied": given.placement.tied,
                        "candidates": given.placement.candidates,
                    }
                )
            )
    return pl.concat(frames)


def _notes(questions: Sequence[Questions], rendering_s: float, *, apart: bool) -> list[str]:
    notes = [
        f"{asked.bars} bars: {len(asked.windows)} windows of "
        f"{len({window.song for window in asked.windows})} songs in {len(set(asked.groups))} "
        f"groups, each beside {asked.shown.shape[1] - 1} of other songs."
        for asked in questions
    ]
    exact = sum(window.is_exact for asked in questions for window in asked.windows)
    total = sum(len(asked.windows) for asked in questions)
    if exact in (0, total):
        notes.append(
            f"{'All' if exact else 'No'} keys are annotated as exact (key_confidence 1), so that "
            f"songs with exact and with estimated annotations are not told apart. A database does "
            f"not say whether beats are exact."
        )
    if apart:
        for asked in questions:
            notes.append(
                f"{asked.bars} bars, apart: {int(asked.lost.sum())} of {len(asked.windows)} "
                f"windows have no counterpart in what a half of their clip says; they count as "
                f"not found."
            )
    if rendering_s:
        notes.append(
            f"Scorers marked as moved were told key, tempo and bars; rendering took "
            f"{rendering_s:.2f} s per pair."
        )
    return notes
