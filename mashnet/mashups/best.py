"""The best mashups of a library: pairs compared, the likeliest heard, the best rendered.

Scores are kept in the library's cache and sound in the collection, so that a run that was stopped
goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mashnet.audio.stretch import require_beatwise, require_installed
from mashnet.data.mashupdb import MashupDB
from mashnet.data.mixes.candidates import Limits
from mashnet.data.song_clips import left_out
from mashnet.errors import DatabaseError, MashnetError, StorageError, require_one_of
from mashnet.mashups.choosing import choose
from mashnet.mashups.collection import Collection
from mashnet.mashups.kept_scores import ScoreStore, open_library, scores_of
from mashnet.mashups.proposals import Proposal
from mashnet.mashups.scorer_choice import scorer_choices
from mashnet.mashups.shortlist import placer_of, shortlist
from mashnet.progress import Progress
from mashnet.rendering.plan import PLACED, RENDERING_ENGINE, TECHNIQUES

_NAMED = 5  # songs that are left out, in one line


@dataclass(frozen=True)
class Chosen:
    """What became of a library.

    Attributes:
        rows: of the collection, best first.
        judged: how many pairs were heard; 0 where nobody had to hear them.
        proposed: how many could be made within the limits.
        compared: whether they were compared before, so that the likeliest were heard.
        technique: how they were rendered.
        failed: what could not be rendered, one line each.
        left_out: which songs take no part, and why; empty if all do.
    """

    rows: list[dict[str, Any]]
    judged: int
    proposed: int
    compared: bool
    technique: str
    failed: list[str]
    left_out: str


def make_mashups(
    library: str | Path,
    scorer: str | None,
    out: str | Path,
    *,
    top: int = 10,
    per_song: int = 2,
    judged: int = 400,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    technique: str = PLACED,
    engine: str = RENDERING_ENGINE,
) -> Chosen:
    """Judge pairs of songs, render the best, and write a page to hear them.

    Args:
        library: folder of a MashupDB.
        scorer: a run, a bundle, the name of a bundle in checkpoints/, or of a rule; None: the
            best that is there, which is said.
        out: folder of the collection.
        top: how many mashups.
        per_song: a song is chosen at most so often as base, and again as guest.
        judged: at most so many pairs are heard: the likeliest before anything is moved.
        limits: how far a vocal may be moved at all.
        technique: of `mashnet.rendering.plan.TECHNIQUES`, or `PLACED`.
        engine: that follows beats.

    Returns:
        What was chosen. Mashups whose stems cannot be read are replaced by the next best.

    Raises:
        CheckpointError: if the Scorer cannot be used.
        ConfigError: if a setting makes no sense, or the folder cannot be written to.
        DatabaseError: if the library is none, or no two songs of it go together.
    """
    require_one_of("technique", technique, (*TECHNIQUES, PLACED))
    require_installed(engine)
    require_beatwise(engine)
    choices = scorer_choices(scorer)
    choice = choices[0]
    if scorer is None:
        print(f"scorer={choice.name} judges (scorer=… takes another)", flush=True)
    database, kept = open_library(library)
    ears = choice.load()
    placer = placer_of(ears, choices)
    found = shortlist(database, placer, limits=limits, technique=technique, most=judged)
    if not found.proposals:
        raise DatabaseError(_nothing_fits(database, limits))
    # Before an hour of listening, and not before it is clear that there is something to listen to:
    # what an earlier run has chosen is forgotten here.
    collection = Collection(out, technique=found.technique, engine=engine, workers=None)
    heard, failed = found.proposals[:judged], list[str]()
    if ears is placer and found.scores:  # it has compared them as they lie, and need not hear more
        scores, listened = np.array(found.scores), 0
    else:
        store = ScoreStore(kept, choice.identity())
        known, unread = _scores(choice.name, ears, heard, store)
        failed = list(dict.fromkeys(unread.values()))
        heard = [proposal for proposal in heard if proposal.proposal_id in known]
        scores = np.array([known[proposal.proposal_id] for proposal in heard])
        listened = len(heard)
    chosen = choose(heard, scores, len(heard), per_song=per_song)
    with Progress(total=min(top, len(chosen)), desc="rendering", unit="mashup") as bar:
        for index in chosen:
            if len(collection.rows) >= top:
                break
            try:
                collection.add(
                    heard[index],
                    system=choice.name,
                    kind="best",
                    rank=len(collection.rows) + 1,
                    score=float(scores[index]),
                )
                bar.update()
            except StorageError:  # it is not the proposal's fault
                raise
            except MashnetError as error:
                failed += [str(error)] if str(error) not in failed else []
    if not collection.rows:
        raise DatabaseError(f"{database.root}: nothing could be rendered; first: {failed[0]}")
    return Chosen(
        collection.rows,
        listened,
        found.compared or len(found.proposals),
        bool(found.scores),
        found.technique,
        failed,
        _left_out(found.left_out) if found.scores else left_out(database),
    )


def _scores(
    name: str, scorer: Any, pairs: list[Proposal], store: ScoreStore
) -> tuple[dict[str, float], dict[str, str]]:
    """Return scores, and why there are none, by the proposal's id."""
    failed: dict[str, str] = {}
    with Progress(total=len(pairs), desc=f"{name}: listening", unit="pair") as bar:

        def progress(done: int, new: int) -> None:
            bar.update_to(len(pairs) - new + done)

        return scores_of(scorer, pairs, store, progress=progress, failed=failed), failed


def _nothing_fits(database: MashupDB, limits: Limits) -> str:
    slowest, fastest = limits.tempo_range
    lacking = left_out(database)
    without = f"; {lacking}" if lacking else ""
    larger = "; max_semitones=6 allows larger shifts" if limits.max_semitones < 6 else ""
    return (
        f"{database.root}: no vocal of one song fits the music of another within "
        f"{limits.max_semitones} semitones and a tempo ratio of {slowest} to {fastest} "
        f"({database.clips.height} clips{without}). Two songs are needed, "
        f"with a tempo, downbeats and a key{larger}"
    )


def _left_out(lines: Sequence[str]) -> str:
    """Say in one line which songs were not compared; empty if all were."""
    if not lines:
        return ""
    more = f"; and {len(lines) - _NAMED} more" if len(lines) > _NAMED else ""
    return f"{len(lines)} songs were not compared: {'; '.join(lines[:_NAMED])}{more}"
