"""What does a Scorer's choice sound like? Its best and worst mashups, rendered and measured.

Each Scorer ranks the mashups that could be made of a library: every vocal on every other song's
music, moved to fit. The first and the last are rendered, and the sound is measured by things that
are not that Scorer (`mashnet.evaluation.mashup_measures`). Originals of the same bases, brought to
the same loudness, say what songs reach that nobody put together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from mashnet.audio.stretch import require_beatwise, require_installed
from mashnet.data.candidates import Limits
from mashnet.data.song_clips import VOCAL
from mashnet.errors import ConfigError, DatabaseError, require_one_of
from mashnet.evaluation.database_proposals import ProposalSource
from mashnet.evaluation.mashup_choices import (
    best_and_worst,
    choices_of,
    measure_choices,
    render_choices,
)
from mashnet.evaluation.mashup_figures import strips
from mashnet.evaluation.mashup_measures import MEASURES
from mashnet.evaluation.mashup_statistics import (
    BEST,
    ORIGINAL,
    WORST,
    Finished,
    comparisons,
    estimates,
    meanings,
)
from mashnet.evaluation.mixes import score_groups
from mashnet.evaluation.results import Outcome, Plot, ScorerResult, SoundExample
from mashnet.evaluation.statistics import Bootstrap
from mashnet.models.scorer import Scorer
from mashnet.rendering.collection import Collection
from mashnet.rendering.mashup import RENDERING_ENGINE
from mashnet.rendering.plan import DEFAULT_TECHNIQUE, TECHNIQUES
from mashnet.rendering.proposals import Proposal

NAME = "renderer"
VIEW = "proposals"
MANY = 20  # mashups of either kind that are rendered for each Scorer
FEW = 10  # songs; from fewer a bootstrap draws too little variety
FOLDER = "mashups"  # in the result folder
CAPTION = (
    "Every dot is a mashup: filled the best, hollow the worst, grey the originals of the same "
    "bases; the tick is their mean."
)
# Why a figure may be missing.
_MISSING = {
    "judge_score": "a role does not sound",
    "beat_error_ms": "fewer than 8 beats can be recognised in what the guest plays",
    "planned_beat_error_ms": "a song has no beats, or the guest does not sound",
    "onset_error_ms": "the base has no beats, or the guest has fewer than 8 onsets",
    "key_clash": "voice and pitched music never sound together",
    "masked": "there is no voice",
    "spectrum_distance_db": "there are no originals of other songs to compare with",
    "loudness_range_lu": "they are silent, or shorter than 3 s",
    "lufs": "they are silent",
    "true_peak_db": "they are silent",
}


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
    limits = Limits(max_semitones, (slowest, fastest))
    proposed = sorted(source.proposals(limits, clips), key=lambda p: p.distance)
    if not proposed:
        raise DatabaseError(
            f"{source.name}: no vocal of one song of the split {source.split} fits the music of "
            f"another within {max_semitones} semitones and a tempo ratio of {slowest} to "
            f"{fastest}. Songs need a tempo, downbeats and a key; try data.split=all or "
            f"protocol.max_semitones=6"
        )
    proposals = proposed[:num_ranked]
    source.prepare(proposals)
    scores = {s.name: _asked(s, proposals, "mashups") for s in scorers}
    lists = {
        name: best_and_worst(proposals, values, top=top, bottom=bottom, per_song=per_song)
        for name, values in scores.items()
    }
    taken = {index for best, worst in lists.values() for index in (*best, *worst)}
    bases = {proposals[i].base.clip_id: proposals[i].base for i in sorted(taken)}
    originals = source.originals(list(bases.values()))
    source.prepare(originals)
    of_originals = {s.name: _asked(s, originals, "originals") for s in scorers}
    choices = {
        name: choices_of(proposals, scores, *lists[name], originals, of_originals)
        for name in scores
    }
    collection = Collection(folder / FOLDER, technique=technique, engine=engine)
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
        scores=pl.concat([_table(n, finished[n], proposals, scores[n]) for n in finished]),
        plots=[Plot("measures", figure, CAPTION)] if figure else [],
        comparisons=compared,
        notes=[
            *_notes(len(proposals), len(proposed), lists, (top, bottom), per_song),
            *_notes_of_measures(finished, judge, len(bases) - len(originals)),
        ],
        examples=_examples(finished),
        compared="Means over mashups; whole songs are drawn, best and worst together. Of so many rows, "
        "one in twenty is told apart by chance.",
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
    for name, (best, worst) in lists.items():
        if (len(best), len(worst)) != wanted:
            notes.append(
                f"{name}: {len(best)} instead of {wanted[0]} best and {len(worst)} instead of "
                f"{wanted[1]} worst mashups: there are no more without taking a song too often "
                f"(protocol.per_song=…)."
            )
    return notes


def _notes_of_measures(
    finished: Mapping[str, Sequence[Finished]], judge: str | None, without_vocal: int
) -> list[str]:
    """Say what could not be measured, and why."""
    notes = []
    if judge is None:
        notes.append("No judge was named (judge=…), so that there are no judge's scores.")
    elif judge in finished:
        notes.append(f"{judge} is the judge: what it chose itself has no judge's score.")
    fewest = min(len({i.proposal.base.song_id for i in items}) for items in finished.values())
    if fewest < FEW:
        notes.append(
            f"The mashups of a Scorer have as few as {fewest} songs as bases: intervals drawn from "
            f"so few are too narrow."
        )
    if without_vocal:
        notes.append(f"{without_vocal} bases have no vocal of their own, and so no original.")
    for name, reason in _MISSING.items():
        items = [
            item
            for scorer, chosen in finished.items()
            for item in chosen
            if not (MEASURES[name].moved and item.kind == ORIGINAL)
            and not (name == "judge_score" and judge in (None, scorer))
        ]
        lacking = [item for item in items if not np.isfinite(item.measured[name])]
        if lacking:
            notes.append(f"{name}: {len(lacking)} of {len(items)} have none ({reason}).")
    return notes


def _table(
    scorer: str, finished: Sequence[Finished], proposals: Sequence[Proposal], scores: np.ndarray
) -> pl.DataFrame:
    """Return one row per mashup that was ranked, and per original, with measures where rendered."""
    by_id = {item.proposal.proposal_id: item for item in finished}
    originals = [item for item in finished if item.kind == ORIGINAL]
    ranked = [(p, float(score)) for p, score in zip(proposals, scores, strict=True)]
    rows = []
    for proposal, score in ranked + [(item.proposal, item.score) for item in originals]:
        item = by_id.get(proposal.proposal_id)
        guest = proposal.guests.get(VOCAL)
        rows.append(
            {
                "scorer": scorer,
                "kind": item.kind if item else None,
                "rank": item.rank if item else None,
                "base_clip_id": proposal.base.clip_id,
                "base_song_id": proposal.base.song_id,
                "base_title": proposal.base.title,
                "vocal_clip_id": guest.clip.clip_id if guest else None,
                "vocal_song_id": guest.clip.song_id if guest else None,
                "vocal_title": guest.clip.title if guest else None,
                "score": score,
                "audio": item.audio.name if item else None,
                **{name: item.measured[name] if item else None for name in MEASURES},
            }
        )
    return pl.DataFrame(rows, infer_schema_length=None, nan_to_null=True)


def _examples(finished: Mapping[str, Sequence[Finished]]) -> list[SoundExample]:
    """Return every mashup beside its figures, without those that nobody has."""
    known = [
        name
        for name in MEASURES
        if any(np.isfinite(item.measured[name]) for items in finished.values() for item in items)
    ]
    return [
        SoundExample(
            group=scorer,
            label=f"{item.kind} {item.rank}",
            title=_title(item.proposal),
            audio=item.audio,
            figures={"score": item.score, **{name: item.measured[name] for name in known}},
            remarks=item.warnings,
        )
        for scorer, items in finished.items()
        for item in items
    ]


def _title(proposal: Proposal) -> str:
    guest = proposal.guests.get(VOCAL)
    if guest is None:
        return f"{proposal.base.title}, as it is"
    return f"the vocal of {guest.clip.title} on {proposal.base.title}"
