"""Are pairs judged, and placed, before anything is moved?

(a) A phrase of a vocal asks for its own music among phrases of other songs. Everything lies as it
    is, each side in its own key and tempo, and parts know their beats and keys. Annotations are
    believed in four ways (`answers.WAYS`): own pairs share one estimate, whose errors cancel for
    them and not for strangers, so that who believes it is flattered. Scorers that hear only what
    has been moved are given the truth about where, at the cost of rendering every pair.
(b) A phrase of a vocal, cut out and shifted, is laid on its own song's music by those that place
    (`places`): is it where it belongs?
(c) Vocals on music of other songs, rendered where they are placed, against first downbeat on first
    downbeat (`pairs`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from mashnet.errors import ConfigError, require_one_of
from mashnet.evaluation.protocols.placement.answers import judges_unmoved
from mashnet.evaluation.protocols.placement.figures import found_plot, places_plot
from mashnet.evaluation.protocols.placement.finding import (
    can_place,
    find,
    place_columns,
    place_meanings,
    place_rows,
)
from mashnet.evaluation.protocols.placement.measures import (
    Column,
    columns,
    compare,
    estimates,
    meanings,
)
from mashnet.evaluation.protocols.placement.own_music import (
    ask_all,
    facts_of_result,
    notes_of,
    rows_of,
    table_name,
)
from mashnet.evaluation.protocols.placement.pairs import (
    RenderedPairs,
    draw_pairs,
    pair_columns,
    pair_meanings,
    render_pairs,
)
from mashnet.evaluation.protocols.placement.places import PlaceQuestion, place_questions
from mashnet.evaluation.protocols.placement.questions import all_questions
from mashnet.evaluation.results import Outcome, ScorerResult
from mashnet.evaluation.statistics import Bootstrap
from mashnet.evaluation.subjects.phrases import PhraseSource
from mashnet.models.scorer import Scorer

NAME = "placement"
VIEW = "phrases"
STRANGERS = ("split", "all")  # whose music stands beside a vocal's own


def can_ask(scorer: Scorer, settings: Mapping[str, Any]) -> bool:
    """Return whether a Scorer can be asked with these settings of the protocol."""
    return (
        judges_unmoved(scorer)
        or bool(settings.get("moved"))
        or scorer.name == settings.get("judge")
    )


def run(
    scorers: Sequence[Scorer],
    source: PhraseSource,
    *,
    bootstrap: Bootstrap,
    folder: Path,
    bars: Sequence[int] = (8, 4, 16),
    max_windows: int | None = None,
    apart: bool = False,
    moved: bool = False,
    num_places: int = 100,
    rendered: bool = False,
    num_pairs: int = 20,
    judge: str | None = None,
    strangers: str = "split",
    seed: int = 0,
) -> Outcome:
    """Let vocals look for their own music and their place in it, and render what is placed.

    Args:
        scorers: whom to ask; the first is compared with each other.
        source: the phrases.
        bootstrap: how intervals are made; groups of songs are drawn, candidates stay.
        folder: of the results; mashups lie in it as a collection.
        bars: how long phrases are that look for their music.
        max_windows: of each length at most so many ask, drawn evenly; None: all.
        apart: whether beats and key are also estimated from different halves of a clip.
        moved: whether Scorers are asked that hear only what has been moved.
        num_places: phrases that look for their place, at most, drawn evenly; 0: none.
        rendered: whether pairs of different songs are rendered.
        num_pairs: how many.
        judge: name of the Scorer that judges what is rendered; None: nobody. If it hears only what
            has been moved, it need not answer anything else.
        strangers: split: other songs of the same split stand beside a vocal's own music; all: of
            the whole database, where a split has fewer than 64 windows.
        seed: of all draws.

    Raises:
        ConfigError: if a setting is not allowed, or a Scorer has to be given moved parts.
        DatabaseError: if there are no two songs with such phrases.
    """
    if not bars or min(bars) < 1 or (max_windows is not None and max_windows < 2):
        raise ConfigError(
            f"protocol.bars={list(bars)} must be lengths in bars, and "
            f"protocol.max_windows={max_windows} at least 2"
        )
    if num_pairs < 1 or num_places < 0:
        raise ConfigError(
            f"protocol.num_pairs={num_pairs} must be at least 1 and "
            f"protocol.num_places={num_places} not negative"
        )
    require_one_of("protocol.strangers", strangers, STRANGERS)
    if judge is not None:
        require_one_of("judge", judge, [scorer.name for scorer in scorers])
    judges = [scorer for scorer in scorers if scorer.name == judge]
    asked = [s for s in scorers if s not in judges or can_ask(s, {"moved": moved})]
    _require_unmoved(asked or scorers, moved)
    own = ask_all(
        asked,
        source,
        all_questions(
            source,
            list(dict.fromkeys(bars)),
            max_windows=max_windows,
            apart=apart,
            seed=seed,
            strangers=source.whole_database() if strangers == "all" else None,
        ),
    )
    figures = {name: columns(found, own.questions) for name, found in own.answers.items()}
    rows = rows_of(own)
    placing = [scorer for scorer in asked if can_place(scorer)]
    places = place_questions(source, num_places, seed=seed) if placing else []
    for scorer in placing if places else []:
        where = find(scorer, places)
        figures[table_name(scorer)] |= place_columns(where, places)
        rows += place_rows(scorer.name, where, places)
    mashups = None
    if rendered and placing:
        pairs = draw_pairs(source, num_pairs, seed=seed)
        mashups = render_pairs(placing, source, pairs, folder, judges[0] if judges else None)
        for scorer in placing:
            figures[table_name(scorer)] |= pair_columns(mashups, scorer.name)

    values = {name: estimates(found, bootstrap) for name, found in figures.items()}
    names = list(dict.fromkeys(name for found in values.values() for name in found))
    return Outcome(
        protocol=NAME,
        title="Does a phrase find its own music before anything is moved?",
        summary=(
            "A phrase of a vocal and phrases of music, each in its own key and tempo: which music "
            "is the vocal's own, and where in it does the phrase belong? Who judges unmoved parts "
            "needs no rendering; who does not is given each pair rendered where it belongs."
        ),
        results=[
            ScorerResult(
                NAME,
                table_name(scorer),
                source.name,
                source.split,
                values[table_name(scorer)],
                facts_of_result(own, scorer) | ({"judge": judge} if mashups else {}),
            )
            for scorer in asked
        ],
        metrics=meanings(names, own.questions)
        | place_meanings(names, places)
        | pair_meanings(names),
        scores=pl.DataFrame(rows, infer_schema_length=None),
        plots=[found_plot(values, own.questions), *places_plot(values, names)],
        comparisons=compare(_without_parts(figures), bootstrap),
        notes=[
            *notes_of(own),
            *_place_notes(places, scorers),
            *_pair_notes(mashups, rendered=rendered),
            *source.left_out(),
        ],
        examples=mashups.examples if mashups else [],
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


def _without_parts(
    figures: Mapping[str, Mapping[str, Column]],
) -> dict[str, dict[str, Column]]:
    """Leave out figures of rendered pairs: two Scorers need not have the same ones measured."""
    of_pairs = set(pair_meanings([name for found in figures.values() for name in found]))
    return {
        scorer: {name: column for name, column in found.items() if name not in of_pairs}
        for scorer, found in figures.items()
    }


def _place_notes(places: Sequence[PlaceQuestion], scorers: Sequence[Scorer]) -> list[str]:
    if not places:
        return []
    notes = [
        f"{len(places)} phrases of 8 bars, cut out of their clips and shifted by up to 3 "
        f"semitones, look for their place among "
        f"{min(len(q.places) for q in places)} to {max(len(q.places) for q in places)} bars; "
        f"{sum(q.alike.sum() > 1 for q in places)} of them have music that repeats elsewhere."
    ]
    silent = [scorer.name for scorer in scorers if not can_place(scorer)]
    if silent:
        notes.append(f"{', '.join(silent)}: does not say where phrases would be laid.")
    return notes


def _pair_notes(mashups: RenderedPairs | None, *, rendered: bool) -> list[str]:
    if mashups is None:
        return ["No Scorer places: nothing was rendered."] if rendered else []
    return [
        f"{len(mashups.pairs)} pairs of different songs were rendered twice: where they were "
        f"placed, and by tempo and key, first downbeat on first downbeat.",
        *mashups.failed,
    ]
