"""Is the missing stem found among all stems of all held-out songs?

Two measures, as published:

* retrieval (Stem-JEPA, Riou et al., ISMIR 2024, and its successor with instrument texts): each
  stem of each clip is left out once. The other stems together, and the name of the instrument, are
  the query; the stems of all clips are the candidates, those in the query among them. A second
  block of figures (`…_among_others`) leaves the other stems of the query's own song out. What
  stands first is sorted by right or wrong track and right or wrong instrument.
* top-1 among 64 (COCOLA, PHALAR): a random submix of a chunk of 5 s asks for the rest of its
  stems, which stands beside 63 such rests of other songs.

A normalised rank is the share of the other candidates that stand before: 0 best, 0.5 by chance.
The published code divides ranks, which begin at 1, by the number of candidates; with m candidates
that differs by at most 1 / m. Tied scores share their places.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from mashnet.errors import ConfigError
from mashnet.evaluation.protocols.stem_retrieval import figures as stem_figures
from mashnet.evaluation.protocols.stem_retrieval.answers import (
    NUM_OPPONENTS,
    Answers,
    Asked,
    ask,
    ask_about,
    first_by_chance,
)
from mashnet.evaluation.protocols.stem_retrieval.measures import (
    AMONG_OTHERS,
    OF_64,
    by_instrument,
    caveats,
    compare,
    counts,
    estimates,
    kinds,
    meanings,
    per_instrument,
)
from mashnet.evaluation.results import Outcome, Plot, ScorerResult
from mashnet.evaluation.statistics import Bootstrap
from mashnet.evaluation.subjects.stems import StemSource
from mashnet.models.scorer import Scorer

NAME = "stem_retrieval"
VIEW = "stems"


def run(
    scorers: Sequence[Scorer],
    source: StemSource,
    *,
    bootstrap: Bootstrap,
    labels: str = "coarse",
    num_draws: int = 20,
    chunk_s: float = 5.0,
    seed: int = 0,
) -> Outcome:
    """Ask for each stem of each clip, and for the rest of random submixes.

    Args:
        scorers: whom to ask; the first is compared with each other.
        source: the stems.
        bootstrap: how intervals are made; songs of queries are drawn, the candidates stay.
        labels: which name of an instrument is asked for and counts as right: coarse or fine.
        num_draws: chunks of each song for top_1_of_64; more where there are few songs.
        chunk_s: their length in seconds.
        seed: of the draws.

    Raises:
        ConfigError: if a setting is not allowed.
        DatabaseError: if fewer than two songs have two stems that sound.
    """
    if num_draws < 1 or chunk_s <= 0:
        raise ConfigError(
            f"protocol.num_draws={num_draws} and protocol.chunk_s={chunk_s} must be positive"
        )
    asked = ask_about(source, labels=labels, num_draws=num_draws, chunk_s=chunk_s, seed=seed)
    answers = {scorer.name: ask(scorer, asked) for scorer in scorers}
    return Outcome(
        protocol=NAME,
        title="Which stem is missing?",
        summary=(
            "Each stem of each clip is left out once. The others, and the name of its instrument "
            "for those who read it, ask for it among all stems of all held-out songs."
        ),
        results=[
            ScorerResult(
                NAME,
                name,
                source.name,
                source.split,
                estimates(found, asked.songs, asked.chunk_songs, bootstrap),
                {
                    "labels": labels,
                    "chunk_s": chunk_s,
                    "candidates": len(asked.questions),
                    "songs": len(set(asked.songs)),
                    "per_instrument": per_instrument(found, asked.labels),
                },
            )
            for name, found in answers.items()
        ],
        metrics=meanings(
            next(iter(answers.values())),
            first_by_chance(asked.same_track, asked.same_instrument),
        ),
        scores=pl.concat([_table(name, a, asked) for name, a in answers.items()]),
        plots=_plots(answers, asked, labels),
        comparisons=compare(answers, asked.songs, asked.chunk_songs, bootstrap),
        notes=[*_notes(asked, chunk_s), *source.left_out()],
    )


def _table(name: str, answers: Answers, asked: Asked) -> pl.DataFrame:
    """Return one row per stem and per chunk; places are kept as counts, so that folds can pool."""
    best = [asked.questions[index] for index in answers.best]
    stems: dict[str, Any] = {
        "scorer": [name] * len(asked.questions),
        "asked": ["stem"] * len(asked.questions),
        "query_id": [question.stem_id for question in asked.questions],
        "song_id": asked.songs,
        "label": asked.labels,
        "score": answers.scores,
        **counts(answers.among_all),
        **counts(answers.among_others, AMONG_OTHERS),
        **kinds(answers.first),
        **kinds(answers.first_among_others, AMONG_OTHERS),
        "first_stem_id": [question.stem_id for question in best],
        "first_label": [question.label for question in best],
    }
    if answers.of_64 is None:
        return pl.DataFrame(stems)
    chunks = {
        "scorer": [name] * len(asked.chunks),
        "asked": ["chunk"] * len(asked.chunks),
        "query_id": [chunk.chunk_id for chunk in asked.chunks],
        "song_id": asked.chunk_songs,
        "score": answers.chunk_scores,
        **counts(answers.of_64),
    }
    return pl.concat([pl.DataFrame(stems), pl.DataFrame(chunks)], how="diagonal")


def _plots(answers: Mapping[str, Answers], asked: Asked, labels: str) -> list[Plot]:
    instruments = by_instrument(asked.labels)
    return [
        stem_figures.recall_plot(answers),
        *stem_figures.first_place_plots(answers, instruments, labels),
    ]


def _notes(asked: Asked, chunk_s: float) -> list[str]:
    count = len(asked.questions)
    notes = [
        f"{count} stems of {len(set(asked.songs))} songs, each looked for once among all {count}. "
        f"Up to {asked.own_others.sum(1).max()} of these are other stems of its own song: those of "
        f"its clip sound in the query, so who looks for what sounds like the query finds them "
        f"first. Figures that end in {AMONG_OTHERS} leave them out."
    ]
    if asked.chunks:
        songs = np.array(asked.chunk_songs)
        most = max(np.unique(songs[row[1:]], return_counts=True)[1].max() for row in asked.shown)
        notes.append(
            f"{OF_64}: {len(songs)} chunks of {chunk_s:g} s of {len(set(asked.chunk_songs))} songs "
            f"against {NUM_OPPONENTS} others each, at most {most} of one song."
        )
    else:
        notes.append(
            f"{OF_64} is left out: of some song's others there are fewer than {NUM_OPPONENTS} "
            f"different chunks of {chunk_s:g} s in which two stems sound."
        )
    return [*notes, *caveats(asked.labels)]
