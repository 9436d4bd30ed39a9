"""What is asked: a phrase of a vocal, its own music, and music of other songs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mashnet.data.parts import Group
from mashnet.errors import DatabaseError
from mashnet.evaluation.retrieval import draw_opponents
from mashnet.evaluation.subjects.phrases import Pair, PhraseSource, PhraseWindow

NUM_OPPONENTS = 63  # so that it is one among 64
USUAL_BARS = 8  # the length that is meant where no other is named

Sides = tuple[Sequence[Group], Sequence[Group]]  # vocals, and music


@dataclass(frozen=True)
class Questions:
    """Windows of one length.

    Attributes:
        bars: of each window.
        windows: whose vocals ask, each for its own music.
        offered: all whose music is shown, those that ask among them.
        shown: numbers of windows offered to each vocal, (windows, 1 + opponents), its own first.
        sides: vocals of `windows` and music of those offered, where they lie.
        apart: the same, beats and key estimated from different halves; a window of which a half
            knows too little stands as it lies. None: not asked.
        lost: of `apart`, which of `windows` those are, (windows,): nobody can find them.
    """

    bars: int
    windows: Sequence[PhraseWindow]
    offered: Sequence[PhraseWindow]
    shown: np.ndarray
    sides: Sides
    apart: Sides | None
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
        max_windows: at most so many ask, drawn evenly; all are offered.
        apart: whether beats and key are also estimated from different halves.
        seed: of the draws; all Scorers are asked the same.
        strangers: whose windows are also offered, and do not ask; None: nobody's.

    Returns:
        None where there are fewer than two songs.
    """
    own = source.windows(bars)
    known = {window.window_id for window in own}
    others = strangers.windows(bars) if strangers and own else []
    others = [window for window in others if window.window_id not in known]
    offered = [*own, *others]
    songs = [window.song for window in offered]
    counts = np.unique(songs, return_counts=True)[1] if songs else np.zeros(1, int)
    opponents = min(NUM_OPPONENTS, len(songs) - int(counts.max()))
    if opponents < 1:
        return None
    drawn = draw_opponents(songs, opponents, seed=seed)
    assert drawn is not None  # there are as many
    asking = np.arange(len(own))
    if max_windows is not None and len(own) > max_windows:
        random = np.random.default_rng([seed, bars])
        asking = np.sort(random.choice(asking, max_windows, replace=False))
    pairs = [source.pair(window) for window in own]
    found = source.pairs_apart(own) if apart else []
    if strangers:
        pairs += [strangers.pair(window) for window in others]
        found += strangers.pairs_apart(others) if apart else []
    usable = [one or usual for one, usual in zip(found, pairs, strict=False)]
    return Questions(
        bars=bars,
        windows=[own[index] for index in asking],
        offered=offered,
        shown=np.column_stack([asking, drawn[asking]]),
        sides=_sides(pairs, asking),
        apart=_sides(usable, asking) if apart else None,
        lost=np.array([apart and found[index] is None for index in asking], bool),
    )


def _sides(pairs: Sequence[Pair], asking: np.ndarray) -> Sides:
    return [pairs[index][0] for index in asking], [music for _, music in pairs]


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
