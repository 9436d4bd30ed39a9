"""What is asked: a phrase of a vocal, its own music, and music of other songs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mashnet.errors import DatabaseError
from mashnet.evaluation.retrieval import draw_opponents
from mashnet.evaluation.subjects.phrases import Pair, PhraseSource, PhraseWindow

NUM_OPPONENTS = 63  # so that it is one among 64
USUAL_BARS = 8  # the length that is meant where no other is named


@dataclass(frozen=True)
class Questions:
    """Windows of one length.

    Attributes:
        bars: of each window.
        windows: whose vocals ask, each its own music.
        offered: all whose music is shown; those that ask come first.
        shown: numbers of windows offered to each vocal, (windows, 1 + opponents), its own first.
        pairs: vocal and music of each window offered, where they lie.
        apart: the same, beats and key estimated from different halves; a window of which a half
            knows too little stands as in `pairs`. None: not asked.
        lost: of `apart`, which windows those are, (windows,): nobody can find them.
    """

    bars: int
    windows: Sequence[PhraseWindow]
    offered: Sequence[PhraseWindow]
    shown: np.ndarray
    pairs: Sequence[Pair]
    apart: Sequence[Pair] | None
    lost: np.ndarray

    @property
    def suffix(self) -> str:
        """What names of figures end in."""
        return length_suffix(self.bars)

    @property
    def groups(self) -> list[str]:
        """Whose songs the windows are of: what a bootstrap draws."""
        return [window.group for window in self.windows]


def length_suffix(bars: int) -> str:
    """Return what names of figures of phrases so long end in."""
    return "" if bars == USUAL_BARS else f"_{bars}_bars"


def questions_of(
    source: PhraseSource,
    bars: int,
    *,
    max_windows: int | None,
    apart: bool,
    seed: int,
    strangers: PhraseSource | None = None,
) -> Questions | None:
    """Collect windows and draw, for each, whose music stands beside its own.

    Args:
        source: the phrases.
        bars: of each.
        max_windows: at most so many, drawn evenly.
        apart: whether beats and key are also estimated from different halves.
        seed: of the draws; all Scorers are asked the same.
        strangers: whose windows are also offered, and do not ask; None: nobody's.

    Returns:
        None where there are fewer than two songs.
    """
    windows = source.windows(bars)
    if max_windows is not None and len(windows) > max_windows:
        random = np.random.default_rng([seed, bars])
        chosen = random.choice(len(windows), max_windows, replace=False)
        windows = [windows[index] for index in sorted(chosen)]
    asking = {window.window_id for window in windows}
    others = strangers.windows(bars) if strangers and windows else []
    offered = [*windows, *(window for window in others if window.window_id not in asking)]
    songs = [window.song for window in offered]
    counts = np.unique(songs, return_counts=True)[1] if songs else np.zeros(1, int)
    opponents = min(NUM_OPPONENTS, len(songs) - int(counts.max()))
    if opponents < 1:
        return None
    drawn = draw_opponents(songs, opponents, seed=seed)
    assert drawn is not None  # there are as many
    pairs = [source.pair(window) for window in windows]
    if strangers:
        pairs += [strangers.pair(window) for window in offered[len(windows) :]]
    found = source.pairs_apart(windows) if apart else [None] * len(windows)
    apart_pairs = [own or usual for own, usual in zip(found, pairs, strict=False)]
    return Questions(
        bars=bars,
        windows=windows,
        offered=offered,
        shown=np.column_stack([np.arange(len(windows)), drawn[: len(windows)]]),
        pairs=pairs,
        apart=[*apart_pairs, *pairs[len(windows) :]] if apart else None,
        lost=np.array([own is None for own in found], bool),
    )


def all_questions(
    source: PhraseSource,
    lengths: Sequence[int],
    *,
    max_windows: int | None,
    apart: bool,
    seed: int,
    strangers: PhraseSource | None = None,
) -> list[Questions]:
    """Return the questions of each length that has any; arguments as of `questions_of`.

    Raises:
        DatabaseError: if none has.
    """
    found = [
        questions_of(
            source, bars, max_windows=max_windows, apart=apart, seed=seed, strangers=strangers
        )
        for bars in lengths
    ]
    asked = [questions for questions in found if questions is not None]
    if not asked:
        raise DatabaseError(
            f"{source.name}: the split {source.split} has no two songs in which a vocal and its "
            f"music sound for {min(lengths)} whole bars. {' '.join(source.left_out())} "
            f"Try data.split=all"
        )
    return asked
