"""What does a Scorer's choice sound like? Its best and worst mashups, rendered and measured.

Each Scorer ranks the mashups that could be made of a library: every vocal on every other song's
music, moved to fit. The first and the last are rendered, and the sound is measured by things that
are not that Scorer (`mashnet.evaluation.mashup_measures.measures`). Originals of the same bases,
brought to the same loudness, say what songs reach that nobody put together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from mashnet.audio.stretch import require_beatwise, require_installed
from mashnet.data.mixes.candidates import Limits
from mashnet.errors import ConfigError, DatabaseError, require_one_of
from mashnet.evaluation.mashup_measures.report import sound_examples, table, what_is_missing
from mashnet.evaluation.mashup_measures.statistics import (
    BEST,
    ORIGINAL,
    WORST,
    comparisons,
    estimates,
    meanings,
)
from mashnet.evaluation.protocols.renderer.choices import (
    best_and_worst,
    choices_of,
    measure_choices,
    render_choices,
)
from mashnet.evaluation.protocols.renderer.figures import strips
from mashnet.evaluation.results import Outcome, Plot, ScorerResult
from mashnet.evaluation.statistics import Bootstrap
from mashnet.evaluation.subjects.proposals import ProposalSource
from mashnet.mashups.collection import Collection
from mashnet.mashups.damaged_stems import damage_notes
from mashnet.mashups.proposals import Proposal
from mashnet.models.score_matrix import score_groups
from mashnet.models.scorer import Scorer
from mashnet.music.tempo_levels import LEVELS, ONE_LEVEL
from mashnet.rendering.plan import DEFAULT_TECHNIQUE, RENDERING_ENGINE, TECHNIQUES

NAME = "renderer"
VIEW = "proposals"
MANY = 20  # mashups of either kind that are rendered for each Scorer
FOLDER = "mashups"  # in the result folder
CAPTION = (
    "Every dot is a mashup: filled the best, hollow the worst, grey the originals of the same "
    "bases; the tick is their mean."
)


def run(
    scorers: Sequence[Scorer],
    source: ProposalSource,
    *,
    bootstrap: Bootstrap,
    folder: Path,
    judge: str | None = None,
    top: int | None = None,
    bottom: int | None = None,
    per_song: int = 3,
    num_ranked: int | None = 400,
    clips: str = "one",
    max_semitones: int = 3,
    tempo_range: Sequence[float] = (0.8, 1.2),
    tempo_levels: bool = True,
    technique: str = DEFAULT_TECHNIQUE,
    engine: str = RENDERING_ENGINE,
) -> Outcome:
    """Rank, render and measure.

    Args:
        scorers: whom to ask.
        source: the mashups that could be made.
        bootstrap: how intervals are made; songs of bases are drawn.
        folder: of the results; mashups lie in it as a collection.
        judge: name of the Scorer that judges the layers of what the others chose; None: nobody.
        top: how many of the best are rendered for each Scorer; None: 20.
        bottom: how many of the worst; None: 20.
        per_song: a song is chosen at most so often as base, and again as guest, in each list.
        num_ranked: at most so many mashups are ranked: those whose vocal is moved least; None: all.
        clips: one of each song, or all.
        max_semitones: by which a vocal may be moved.
        tempo_range: smallest and largest ratio by which it may be made faster.
        tempo_levels: whether half and double tempo meet (`mashnet.music.tempo_levels`).
        technique: of `mashnet.rendering.plan.TECHNIQUES`.
        engine: that follows beats.

    Raises:
        ConfigError: if a setting is not allowed, or no Scorer has the judge's name.
        DatabaseError: if nothing can be made of the songs.
    """
    top, bottom = (MANY if count is None else count for count in (top, bottom))
    if (
        min(top, bottom) < 0
        or top + bottom < 1
        or min(per_song, 1 if num_ranked is None else num_ranked) < 1
    ):
        raise ConfigError(
            f"top={top}, bottom={bottom}, protocol.per_song={per_song} and "
            f"protocol.num_ranked={num_ranked}: nothing would be rendered"
        )
    require_one_of("protocol.technique", technique, TECHNIQUES)
    require_installed(engine)
    require_beatwise(engine)
    if judge is not None:
        require_one_of("judge", judge, [scorer.name for scorer in scorers])
    slowest, fastest = tempo_range
    limits = Limits(max_semitones, (slowest, fastest), LEVELS if tempo_levels else ONE_LEVEL)
    proposed = sorted(source.proposals(limits, clips), key=lambda p: p.distance)
    if not proposed:
        raise DatabaseError(
            f"{source.name}: no vocal of one song of the split {source.split} fits the music of "
            f"another within {max_semitones} semitones and a tempo ratio of {slowest} to "
            f"{fastest}. Songs need a tempo, downbeats and a key; try data.split=all or "
            f"protocol.max_semitones=6"
        )
    failed = source.prepare(proposed[:num_ranked])
    proposals = [p for p in proposed[:num_ranked] if p.proposal_id not in failed]
    if not proposals:
        raise DatabaseError(f"{source.name}: nothing can be heard: {next(iter(failed.values()))}")
    scores = {s.name: _asked(s, proposals, "mashups") for s in scorers}
    lists = {
        name: best_and_worst(proposals, values, top=top, bottom=bottom, per_song=per_song)
        for name, values in scores.items()
    }
    taken = {index for best, worst in lists.values() for index in (*best, *worst)}
    bases = {proposals[i].base.clip_id: proposals[i].base for i in sorted(taken)}
    originals = source.originals(list(bases.values()))
    failed |= source.prepare(originals)
    originals = [p for p in originals if p.proposal_id not in failed]
    of_originals = {s.name: _asked(s, originals, "originals") for s in scorers}
    choices = {
        name: choices_of(proposals, scores, *lists[name], originals, of_originals)
        for name in scores
    }
    collection = Collection(folder / FOLDER, technique=technique, engine=engine, workers=None)
    rows = render_choices(choices, collection)
    asked = next((scorer for scorer in scorers if scorer.name == judge), None)
    finished = measure_choices(choices, rows, collection, asked)

    results, compared = [], []
    for name, items in finished.items():
        metrics = estimates(items, bootstrap)
        compared += comparisons(name, metrics)
        counts = Counter(item.kind for item in items)
        facts = {
            "technique": technique,
            "engine": engine,
            "judge": judge,
            "mashups_ranked": len(proposals),
            "best": counts[BEST],
            "worst": counts[WORST],
            "originals": counts[ORIGINAL],
        }
        results.append(ScorerResult(NAME, name, source.name, source.split, metrics, facts))
    figure = strips(finished, judge)
    return Outcome(
        protocol=NAME,
        title="What does a Scorer's choice sound like?",
        summary=(
            "Each Scorer ranks the mashups that could be made of the library: a vocal on another "
            "song's music, moved to its key and tempo. Its best and its worst are rendered, and "
            "the sound is measured by things that are not that Scorer. Originals of the same "
            "bases, brought to the same loudness, stand beside them."
        ),
        results=results,
        metrics=meanings(judge),
        scores=pl.concat([table(n, finished[n], proposals, scores[n]) for n in finished]),
        plots=[Plot("measures", figure, CAPTION)] if figure else [],
        comparisons=compared,
        notes=[
            *_notes(len(proposals), len(proposed), lists, (top, bottom), per_song),
            *what_is_missing(finished, judge, len(bases) - len(originals)),
            *damage_notes(failed),
            *source.left_out(),
        ],
        examples=sound_examples(finished),
        compared=(
            "Means over mashups; whole songs of bases are drawn, best and worst together. Vocals "
            "are not drawn: where one sings in several mashups, intervals are too narrow. Where "
            "nothing differs, one row in twenty is told apart by chance."
        ),
    )


def _asked(scorer: Scorer, proposals: Sequence[Proposal], what: str) -> np.ndarray:
    return score_groups(scorer, [(p.query, p.candidate) for p in proposals], what=what)


def _notes(
    num_ranked: int,
    num_proposed: int,
    lists: Mapping[str, tuple[list[int], list[int]]],
    wanted: tuple[int, int],
    per_song: int,
) -> list[str]:
    """Say what was ranked, and where the songs did not suffice."""
    notes = [
        f"{num_ranked} mashups were ranked; in each list a song is base at most {per_song} times, "
        f"and guest at most {per_song} times."
    ]
    if num_ranked < num_proposed:
        notes.append(
            f"Of {num_proposed} mashups within the limits those {num_ranked} were ranked whose "
            f"vocal is moved least (protocol.num_ranked=…)."
        )
    why = "there are no more without taking a song too often (protocol.per_song=…)"
    if num_ranked < sum(wanted):
        why = f"{num_ranked} were ranked, and none is both"
    for name, (best, worst) in lists.items():
        if (len(best), len(worst)) != wanted:
            notes.append(
                f"{name}: {len(best)} instead of {wanted[0]} best and {len(worst)} instead of "
                f"{wanted[1]} worst mashups: {why}."
            )
    return notes
