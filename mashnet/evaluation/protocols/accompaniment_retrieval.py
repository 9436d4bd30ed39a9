"""A vocal is the seed: which of so many accompaniments fits it best?

The retrieval task of the mashability paper (Huang et al., AAAI 2021): vocals of one MashupDB
against accompaniments of another (`query_db=`), 180 candidates per seed, and each Scorer's first
choice rendered. What listeners think of the choices is for a listening test; the one truth at hand
is the vocal's own accompaniment: where does it stand among the candidates? Vocals that have none
(a cappella) get a choice all the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from mashnet.data.mixes.candidates import Limits
from mashnet.data.roles import ACCOMPANIMENT, MUSIC
from mashnet.errors import ConfigError, DatabaseError, MashnetError, StorageError, require_one_of
from mashnet.evaluation import figures
from mashnet.evaluation.metrics import Placement, place, placements
from mashnet.evaluation.rank_figures import compare, estimates, meanings
from mashnet.evaluation.results import Outcome, Plot, ScorerResult, SoundExample
from mashnet.evaluation.statistics import Bootstrap
from mashnet.evaluation.subjects.likeliest import likeliest, shortlist_note
from mashnet.evaluation.subjects.seeds import Seed, SeedSource
from mashnet.mashups.collection import Collection
from mashnet.mashups.damaged_stems import damage_notes
from mashnet.mashups.proposals import LibraryClip, Proposal
from mashnet.models.score_matrix import score_groups
from mashnet.models.scorer import Scorer
from mashnet.music.tempo_levels import LEVELS, ONE_LEVEL
from mashnet.progress import Progress
from mashnet.rendering.plan import TECHNIQUES

NAME = "accompaniment_retrieval"
VIEW = "seeds"
RIVALS = "the candidates of its vocal"


def run(
    scorers: Sequence[Scorer],
    source: SeedSource,
    *,
    bootstrap: Bootstrap,
    folder: Path,
    num_candidates: int = 180,
    max_semitones: int = 3,
    tempo_range: Sequence[float] = (0.8, 1.2),
    tempo_levels: bool = False,
    tuning: bool = False,
    shortlist: int | None = None,
    seed: int = 0,
    technique: str = "structure+key",
    rendered: bool = True,
) -> Outcome:
    """Score the candidates of every seed, rank its own accompaniment, render the first choices.

    Args:
        scorers: whom to ask; the first is compared with each other.
        source: the seeds.
        bootstrap: how intervals are made; songs of seeds are drawn, their candidates stay.
        folder: where mashups are kept: a collection.
        num_candidates: for each seed, at most.
        max_semitones: by which an accompaniment may be shifted.
        tempo_range: smallest and largest ratio by which it may be made faster.
        tempo_levels: whether half and double tempo meet (`mashnet.music.tempo_levels`); the
            paper takes tempi as they are written down.
        tuning: whether accompaniments are brought to the vocal's tuning; the paper does not.
        shortlist: of each vocal's candidates so many are rendered and judged, those that PlaceNet
            likes best as they lie; None: all, as the paper has it.
        seed: of the draw of candidates.
        technique: of `mashnet.rendering.plan.TECHNIQUES`.
        rendered: whether to render each Scorer's first choice, and the originals.

    Raises:
        ConfigError: if a setting is not allowed.
        DatabaseError: if no vocal has a candidate; or if none has its own accompaniment and
            nothing is to be rendered.
    """
    if num_candidates < 1:
        raise ConfigError(f"protocol.num_candidates={num_candidates} must be at least 1")
    require_one_of("protocol.technique", technique, TECHNIQUES)
    slowest, fastest = tempo_range
    seeds = source.seeds(
        Limits(max_semitones, (slowest, fastest), LEVELS if tempo_levels else ONE_LEVEL, tuning),
        num_candidates,
        seed,
    )
    if shortlist is not None:
        seeds = likeliest(seeds, scorers, shortlist)
    failed = source.prepare([proposal for question in seeds for proposal in _asked(question)])
    seeds = [
        heard for question in seeds if (heard := _without_damaged(question, failed)).candidates
    ]
    whole = np.array([question.own is not None for question in seeds], dtype=bool)
    if not seeds and failed:
        raise DatabaseError(f"{source.name}: nothing can be heard: {next(iter(failed.values()))}")
    if not seeds:
        raise DatabaseError(
            f"{source.name}: for no vocal of the split {source.split} there is an accompaniment "
            f"within {max_semitones} semitones and a tempo ratio of {slowest} to {fastest}. Songs "
            f"need a tempo, downbeats and a key; try data.split=all or protocol.max_semitones=6"
        )
    if not (rendered or whole.any()):
        raise DatabaseError(
            f"{source.name}: none of {len(seeds)} vocals has its own accompaniment, so that there "
            f"is nothing to measure; protocol.rendered=true renders the first choices"
        )
    asked = [_asked(question) for question in seeds]
    ends = np.cumsum([len(proposals) for proposals in asked])[:-1]
    scores: dict[str, list[np.ndarray]] = {}
    for scorer in scorers:
        groups = [(p.query, p.candidate) for proposals in asked for p in proposals]
        scores[scorer.name] = np.split(score_groups(scorer, groups, what="accompaniments"), ends)

    songs = np.array([question.base.song_id for question in seeds], dtype=str)[whole]
    placed = {name: _placed(of_seeds, whole) for name, of_seeds in scores.items() if whole.any()}
    counts = [len(question.candidates) for question in seeds]
    facts = {
        "seeds": len(seeds),
        "candidates_per_seed_mean": round(float(np.mean(counts)), 1),
        "candidates_per_seed_most": max(counts),
    }
    results = [
        ScorerResult(
            NAME,
            name,
            source.name,
            source.split,
            estimates(placed[name], songs, bootstrap) if name in placed else {},
            {**facts, "first_choices": _choices(seeds, of_seeds)},
        )
        for name, of_seeds in scores.items()
    ]
    notes = [
        f"{len(seeds)} vocals with {min(counts)} to {max(counts)} accompaniments (mean "
        f"{np.mean(counts):.0f}), drawn from all pairs of a harmonic and a percussion stem that "
        f"can be moved to the vocal and last for nine tenths of it at least.",
        f"{int(whole.sum())} vocals have their own accompaniment, which stands among these and "
        f"passed the time-stretching engine as they did."
        if placed
        else "No vocal has its own accompaniment: it is not known which choice is good, and there "
        "are no figures. The first choices are there to be heard.",
        *shortlist_note(shortlist),
        *damage_notes(failed),
        *source.left_out(),
    ]
    examples: list[SoundExample] = []
    if rendered:
        collection = Collection(folder / "mashups", technique=technique, workers=None)
        notes += _render(seeds, scores, collection)
        examples = [_example(collection, row) for row in collection.rows]
        notes.append(
            f"First choices and originals are in {collection.folder}: a collection for a "
            f"listening test: python -m mashnet.listening build 'systems=[{collection.folder}]' "
            f"out=listening/"
        )
    return Outcome(
        protocol=NAME,
        title="Which accompaniment does a vocal get?",
        summary=(
            "Each vocal is the seed: harmonic and percussion stems of other songs are moved to its "
            "key, tempo and first downbeat. A Scorer's first choice is what it would put under the "
            "vocal; the vocal's own accompaniment is the one choice that is known to be good."
        ),
        results=results,
        metrics=meanings(next(iter(placed.values())), RIVALS) if placed else {},
        scores=_table(seeds, asked, scores),
        plots=[
            Plot(
                "ranks",
                figures.rank_curves({"among the candidates of the same vocal": placed}),
                "Share of own accompaniments that stand among the first part of the candidates; "
                "the further above the diagonal (chance), the better.",
            )
        ]
        if placed
        else [],
        comparisons=compare(placed, songs, bootstrap) if placed else [],
        notes=notes,
        examples=examples,
    )


def _asked(question: Seed) -> list[Proposal]:
    """Return what a Scorer hears of a seed: its own accompaniment, if it has one, comes last."""
    return [*question.candidates, *([question.own] if question.own else [])]


def _without_damaged(question: Seed, failed: Mapping[str, str]) -> Seed:
    """Leave out what cannot be heard."""
    own = question.own if question.own and question.own.proposal_id not in failed else None
    candidates = [p for p in question.candidates if p.proposal_id not in failed]
    return Seed(question.base, candidates, own)


def _placed(of_seeds: Sequence[np.ndarray], whole: np.ndarray) -> Placement:
    return placements(
        [place(s[-1], s[:-1]) for s, has_own in zip(of_seeds, whole, strict=True) if has_own]
    )


def _best(question: Seed, scores: np.ndarray) -> int:
    """Return the candidate with the highest score; of equals the one that is moved less."""
    count = len(question.candidates)
    return min(range(count), key=lambda i: (-scores[i], question.candidates[i].distance))


def _choices(seeds: Sequence[Seed], of_seeds: Sequence[np.ndarray]) -> list[dict[str, Any]]:
    found = []
    for question, scores in zip(seeds, of_seeds, strict=True):
        best = _best(question, scores)
        guests = question.candidates[best].guests
        found.append(
            {
                "vocal": question.base.title,
                **{role: guest.clip.title for role, guest in guests.items()},
                "score": float(scores[best]),
            }
        )
    return found


def _render(
    seeds: Sequence[Seed], scores: Mapping[str, list[np.ndarray]], collection: Collection
) -> list[str]:
    """Render first choices and originals; return what could not be rendered."""
    wanted = [
        (name, "top", seed, _best(question, of_seeds[seed]))
        for name, of_seeds in scores.items()
        for seed, question in enumerate(seeds)
    ]
    wanted += [("original", "original", seed, -1) for seed, q in enumerate(seeds) if q.own]
    failed: list[str] = []
    for system, kind, seed, candidate in Progress(wanted, desc="rendering"):
        given = {name: float(of_seeds[seed][candidate]) for name, of_seeds in scores.items()}
        try:
            collection.add(
                _asked(seeds[seed])[candidate],
                system=system,
                kind=kind,
                rank=1,
                score=given.get(system),
                scores=given,
            )
        except StorageError:  # it is not the mashup's fault
            raise
        except MashnetError as error:
            failed.append(f"Not rendered: {error}")
    return list(dict.fromkeys(failed))


def _example(collection: Collection, row: Mapping[str, Any]) -> SoundExample:
    guests = ", ".join(f"{guest['role']} of {guest['title']}" for guest in row["guests"])
    return SoundExample(
        group=row["system"],
        label=row["kind"],
        title=f"{row['base']['title']} with {guests}" if guests else row["base"]["title"],
        audio=collection.folder / row["audio"],
        figures=row["scores"],
        remarks=tuple(row["warnings"]),
    )


def _table(
    seeds: Sequence[Seed], asked: Sequence[list[Proposal]], scores: Mapping[str, list[np.ndarray]]
) -> pl.DataFrame:
    """Return one row per Scorer, seed and candidate."""
    rows = [
        {
            "vocal_clip_id": question.base.clip_id,
            "vocal_song_id": question.base.song_id,
            **{f"{role}_clip_id": _giver(p, role).clip_id for role in MUSIC},
            "own": p is question.own,
        }
        for question, proposals in zip(seeds, asked, strict=True)
        for p in proposals
    ]
    return pl.concat(
        pl.DataFrame(rows).with_columns(
            scorer=pl.lit(name), score=pl.Series(np.concatenate(of_seeds))
        )
        for name, of_seeds in scores.items()
    )


def _giver(proposal: Proposal, role: str) -> LibraryClip:
    """Return whose harmonic or percussion is heard; one accompaniment gives both."""
    guest = proposal.guests.get(role) or proposal.guests.get(ACCOMPANIMENT)
    return guest.clip if guest else proposal.base
