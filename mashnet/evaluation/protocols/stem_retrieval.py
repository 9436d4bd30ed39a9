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

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from mashnet.errors import ConfigError
from mashnet.evaluation import stem_figures
from mashnet.evaluation.database_stems import StemSource
from mashnet.evaluation.metrics import Placement
from mashnet.evaluation.results import Comparison, Metric, Outcome, Plot, ScorerResult
from mashnet.evaluation.retrieval import FIRST_PLACES, first_place_shares, placements_of
from mashnet.evaluation.statistics import Bootstrap, Estimate
from mashnet.evaluation.stem_answers import NUM_OPPONENTS, Answers, Asked, ask, ask_about
from mashnet.models.scorer import Scorer

NAME = "stem_retrieval"
VIEW = "stems"
AMONG_OTHERS = "_among_others"
TOP = (1, 5, 10)
OF_64 = "top_1_of_64"

_COMPARED = ("recall_at_1", "recall_at_10", "normalised_rank_mean")


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
                _estimates(found, asked, bootstrap),
                {
                    "labels": labels,
                    "candidates": len(asked.questions),
                    "songs": len(set(asked.songs)),
                    "per_instrument": _per_instrument(found, asked),
                },
            )
            for name, found in answers.items()
        ],
        metrics=_meanings(asked),
        scores=pl.concat([_table(name, a, asked) for name, a in answers.items()]),
        plots=_plots(answers, asked, labels),
        comparisons=_compare(answers, asked, bootstrap),
        notes=[*_notes(asked, chunk_s), *source.left_out()],
    )


def _columns(answers: Answers) -> dict[str, tuple[np.ndarray, bool]]:
    """Return what is averaged per query, and whether the middle is meant instead of the mean."""
    found: dict[str, tuple[np.ndarray, bool]] = {}
    for placement, suffix in ((answers.among_all, ""), (answers.among_others, AMONG_OTHERS)):
        found |= {f"recall_at_{k}{suffix}": (placement.top_k(k), False) for k in TOP}
        found[f"normalised_rank_mean{suffix}"] = (placement.normalised_rank, False)
        found[f"normalised_rank_median{suffix}"] = (placement.normalised_rank, True)
    return found | {kind: (answers.first[:, i], False) for i, kind in enumerate(FIRST_PLACES)}


def _estimates(answers: Answers, asked: Asked, bootstrap: Bootstrap) -> dict[str, Estimate]:
    found = {
        name: bootstrap.estimate(np.median if middle else np.mean, [values], asked.songs)
        for name, (values, middle) in _columns(answers).items()
    }
    if answers.of_64 is not None:
        found[OF_64] = bootstrap.estimate(np.mean, [answers.of_64.top_k(1)], asked.chunk_songs)
    return found


def _compare(answers: dict[str, Answers], asked: Asked, bootstrap: Bootstrap) -> list[Comparison]:
    def values(name: str) -> list[tuple[str, np.ndarray, list[str]]]:
        columns, of_64 = _columns(answers[name]), answers[name].of_64
        names = [metric + suffix for suffix in ("", AMONG_OTHERS) for metric in _COMPARED]
        found = [(metric, columns[metric][0], asked.songs) for metric in names]
        return found if of_64 is None else [*found, (OF_64, of_64.top_k(1), asked.chunk_songs)]

    first, *others = answers
    return [
        Comparison(metric, first, other, bootstrap.difference(np.mean, [one], [two], songs))
        for other in others
        for (metric, one, songs), (_, two, _) in zip(values(first), values(other), strict=True)
    ]


def _instruments(asked: Asked) -> dict[str, np.ndarray]:
    """Return which queries look for each instrument."""
    names = np.array([question.label or "(unknown)" for question in asked.questions], dtype=str)
    return {name: names == name for name in sorted(set(names.tolist()))}


def _per_instrument(answers: Answers, asked: Asked) -> dict[str, dict[str, float | int]]:
    """Return, for each instrument that is looked for, the queries and the means over them."""
    means = {name: values for name, (values, middle) in _columns(answers).items() if not middle}
    return {
        instrument: {"n": int(where.sum())}
        | {name: float(values[where].mean()) for name, values in means.items()}
        for instrument, where in _instruments(asked).items()
    }


def _meanings(asked: Asked) -> dict[str, Metric]:
    # Who says nothing gets what chance gets.
    nothing = np.zeros(asked.same_track.shape)
    right = np.arange(len(nothing))
    found: dict[str, Metric] = {}
    for suffix, left_out, where in (
        ("", None, "all stems"),
        (AMONG_OTHERS, asked.own_others, "it and the stems of other songs"),
    ):
        placement = placements_of(nothing, right, left_out)
        for k in TOP:
            found[f"recall_at_{k}{suffix}"] = Metric(
                f"Share of missing stems that are among the first {k} of {where}.",
                float(placement.top_k(k).mean()),
                headline=k == 1 or (k == 10 and not suffix),
            )
        found[f"normalised_rank_mean{suffix}"] = Metric(
            f"Mean share of the others of {where} that stand before the missing stem; 0 is best.",
            0.5,
            headline=not suffix,
        )
        found[f"normalised_rank_median{suffix}"] = Metric(f"Middle of that share, of {where}.", 0.5)
    shares = first_place_shares(nothing, asked.same_track, asked.same_instrument).mean(0)
    for kind, chance in zip(FIRST_PLACES, shares, strict=True):
        found[kind] = Metric(
            f"Share of queries whose first of all stems is: {kind.replace('_', ' ')}.",
            float(chance),
        )
    if asked.chunks:
        found[OF_64] = Metric(
            f"Share of submixes whose rest stands first among it and {NUM_OPPONENTS} of other "
            "songs.",
            1 / (1 + NUM_OPPONENTS),
            headline=True,
        )
    return found


def _table(name: str, answers: Answers, asked: Asked) -> pl.DataFrame:
    """Return one row per stem and per chunk; places are kept as counts, so that folds can pool."""
    best = [asked.questions[index] for index in answers.best]
    stems: dict[str, Any] = {
        "scorer": [name] * len(asked.questions),
        "asked": ["stem"] * len(asked.questions),
        "query_id": [question.stem_id for question in asked.questions],
        "song_id": asked.songs,
        "label": [question.label for question in asked.questions],
        "score": answers.scores,
        **_counts(answers.among_all, ""),
        **_counts(answers.among_others, AMONG_OTHERS),
        **{kind: answers.first[:, index] for index, kind in enumerate(FIRST_PLACES)},
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
        **_counts(answers.of_64, ""),
    }
    return pl.concat([pl.DataFrame(stems), pl.DataFrame(chunks)], how="diagonal")


def _counts(placement: Placement, suffix: str) -> dict[str, np.ndarray]:
    return {f"{f}{suffix}": getattr(placement, f) for f in ("better", "tied", "candidates")}


def _plots(answers: dict[str, Answers], asked: Asked, labels: str) -> list[Plot]:
    instruments = _instruments(asked)
    counts = {name: int(where.sum()) for name, where in instruments.items()}
    rarer = len(counts) - stem_figures.MOST_INSTRUMENTS
    of_whom = f"by the instrument that is looked for ({labels} labels; in brackets: queries)." + (
        f" {rarer} rarer instruments are in metrics.json only." if rarer > 0 else ""
    )

    def bars(first: dict[str, np.ndarray]) -> Figure:
        shares = {
            scorer: {name: values[where].mean(0) for name, where in instruments.items()}
            for scorer, values in first.items()
        }
        return stem_figures.first_place_bars(shares, counts)

    return [
        Plot(
            "recall",
            stem_figures.recall_curves(
                {
                    "among all stems": {n: a.among_all for n, a in answers.items()},
                    "without the song's other stems": {
                        n: a.among_others for n, a in answers.items()
                    },
                }
            ),
            "Share of missing stems among the first k candidates; the dashed line is chance.",
        ),
        Plot(
            "instruments",
            bars({name: a.first for name, a in answers.items()}),
            f"What stands first among all stems, {of_whom} Stems that sound in the query are of "
            "the right track, too.",
        ),
        Plot(
            "instruments_among_others",
            bars({name: a.first_among_others for name, a in answers.items()}),
            f"What stands first where the song's other stems are left out, {of_whom}",
        ),
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
    if unknown := sum(not question.label for question in asked.questions):
        notes.append(
            f"{unknown} of the stems have no label; only the very stem is their right instrument."
        )
    return [
        *notes,
        "A candidate of another song may fit as well as the missing stem; nobody asked a listener.",
        "Intervals draw songs of queries anew; the candidates stay.",
    ]
