"""What stem_retrieval asks, and what a Scorer answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mashnet.errors import DatabaseError
from mashnet.evaluation.metrics import Placement
from mashnet.evaluation.retrieval import draw_opponents, first_place_shares, placements_of
from mashnet.evaluation.subjects.stems import StemChunk, StemQuestion, StemSource
from mashnet.models.score_matrix import score_matrix
from mashnet.models.scorer import Scorer

NUM_OPPONENTS = 63  # of a chunk: the published top-1 is among 64


@dataclass(frozen=True)
class Asked:
    """The stems that are looked for, and the chunks.

    Attributes:
        questions: one per stem; the stems of all are the candidates of each.
        same_track: (questions, questions), whether query and candidate are of one song.
        same_instrument: whether the candidate is the instrument that the query looks for; where
            that is unknown, whether it is the very stem.
        chunks: none where there are too few of other songs.
        shown: (chunks, 64), the candidates of each chunk, its own first.
    """

    questions: Sequence[StemQuestion]
    same_track: np.ndarray
    same_instrument: np.ndarray
    chunks: Sequence[StemChunk]
    shown: np.ndarray

    @property
    def songs(self) -> list[str]:
        """The song of each question."""
        return [question.song for question in self.questions]

    @property
    def labels(self) -> list[str]:
        """The instrument that each question looks for; "" where it is unknown."""
        return [question.label for question in self.questions]

    @property
    def chunk_songs(self) -> list[str]:
        """The song of each chunk."""
        return [chunk.song for chunk in self.chunks]

    @property
    def own_others(self) -> np.ndarray:
        """Whether a candidate is another stem of the query's own song, as `same_track`."""
        return _but_itself(self.same_track)


@dataclass(frozen=True)
class Standing:
    """Where a Scorer puts what is looked for; all that figures rest on, whatever the scores.

    Attributes:
        among_all: places of the stems among all stems.
        among_others: their places where their songs' other stems are left out.
        first: (questions, 4), what stands first among all, as `first_place_shares`.
        first_among_others: likewise, where the songs' other stems are left out.
        of_64: places of the chunks' own rests; None where there are no chunks.
    """

    among_all: Placement
    among_others: Placement
    first: np.ndarray
    first_among_others: np.ndarray
    of_64: Placement | None


@dataclass(frozen=True)
class Answers(Standing):
    """What one Scorer makes of it.

    Attributes:
        scores: (questions,), of the stems that are looked for.
        best: (questions,), which stem stands first among all.
        chunk_scores: (chunks,), of the chunks' own rests.
    """

    scores: np.ndarray
    best: np.ndarray
    chunk_scores: np.ndarray


def ask_about(
    source: StemSource, *, labels: str, num_draws: int, chunk_s: float, seed: int
) -> Asked:
    """Collect the stems and draw the chunks.

    Args:
        source: the stems.
        labels: coarse or fine names of instruments.
        num_draws: chunks per song; where there are few songs, as many as opponents need.
        chunk_s: their length in seconds.
        seed: of the draws.

    Raises:
        DatabaseError: if fewer than two songs have two stems that sound.
    """
    questions = source.questions(labels)
    songs = [question.song for question in questions]
    count = len(set(songs))
    if count < 2:
        raise DatabaseError(
            f"{source.name}: {count} song(s) in the split {source.split} have two stems that "
            f"sound; a ranking needs the stems of at least two. {' '.join(source.left_out())}"
        )
    same_track, same_instrument = related(songs, [question.label for question in questions])
    draws = max(num_draws, -(-NUM_OPPONENTS // (count - 1)))
    chunks = source.chunks(num_draws=draws, chunk_s=chunk_s, seed=seed)
    opponents = draw_opponents([chunk.song for chunk in chunks], NUM_OPPONENTS, seed=seed)
    if opponents is None:
        chunks, opponents = [], np.empty((0, NUM_OPPONENTS), dtype=np.int64)
    return Asked(
        questions=questions,
        same_track=same_track,
        same_instrument=same_instrument,
        chunks=chunks,
        shown=np.column_stack([np.arange(len(chunks)), opponents]),
    )


def related(songs: Sequence[str], labels: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return `same_track` and `same_instrument` of Asked, from the stems' songs and labels."""
    song = np.array(songs, dtype=str)
    name = np.array([label.casefold() for label in labels], dtype=str)
    alike = (name[:, None] == name) & (name != "")
    return song[:, None] == song, alike | np.eye(len(name), dtype=bool)


def first_by_chance(
    same_track: np.ndarray, same_instrument: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return `first` and `first_among_others` where every stem scores the same."""
    level, kinds = np.zeros(same_track.shape), (same_track, same_instrument)
    own = _but_itself(same_track)
    return first_place_shares(level, *kinds), first_place_shares(level, *kinds, own)


def ask(scorer: Scorer, asked: Asked) -> Answers:
    """Put every question to a Scorer."""
    scores = score_matrix(
        scorer,
        [question.query for question in asked.questions],
        [question.candidate for question in asked.questions],
    )
    chunk_scores = np.empty((0, 1 + NUM_OPPONENTS))
    if asked.chunks:
        chunk_scores = score_matrix(
            scorer,
            [chunk.query for chunk in asked.chunks],
            [chunk.candidate for chunk in asked.chunks],
            chosen=asked.shown,
            what="chunks",
        )
    right, own = np.arange(len(scores)), asked.own_others
    kinds = (asked.same_track, asked.same_instrument)
    return Answers(
        scores=scores[right, right],
        among_all=placements_of(scores, right),
        among_others=placements_of(scores, right, own),
        first=first_place_shares(scores, *kinds),
        first_among_others=first_place_shares(scores, *kinds, own),
        best=scores.argmax(axis=1),
        chunk_scores=chunk_scores[:, 0],
        of_64=placements_of(chunk_scores, np.zeros(len(chunk_scores), dtype=int))
        if asked.chunks
        else None,
    )


def _but_itself(same_track: np.ndarray) -> np.ndarray:
    return same_track & ~np.eye(len(same_track), dtype=bool)
