"""For Scorers that hear only what has been moved: every pair rendered where it belongs.

They are told what the others have to find: music is brought to the vocal's key, tuning, tempo and
bars, and its phrase is laid on the vocal's. Own music passes the engine, too.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mashnet.data.mixes.part_store import DEFAULT_RATE
from mashnet.data.parts import ArrayPart, Group
from mashnet.data.roles import VOCAL
from mashnet.evaluation.protocols.placement.answers import Answers, answers_of
from mashnet.evaluation.protocols.placement.questions import Questions
from mashnet.evaluation.subjects.phrases import PhraseSource, PhraseWindow
from mashnet.mashups.placed import placed
from mashnet.mashups.proposal import Proposal
from mashnet.models.scorer import Scorer
from mashnet.music.bars import bars_of
from mashnet.music.keys import shift_to_fit
from mashnet.music.placement import Placement
from mashnet.music.song_facts import SongFacts, facts_of
from mashnet.music.tempo_levels import ANY_RATIO, folded
from mashnet.music.tunings import cents_to_fit, shift_with
from mashnet.progress import Progress

NAME = "{} (moved)"  # what tables call a Scorer that was given moved parts
_LEVELS = (1.0, 0.5, 2.0)


@dataclass(frozen=True)
class MovedAnswers:
    """What Scorers make of moved pairs.

    Attributes:
        answers: Scorer → its answers.
        rendering_s: seconds of rendering per pair.
    """

    answers: Mapping[str, Answers]
    rendering_s: float


def ask_moved(
    scorers: Sequence[Scorer], source: PhraseSource, questions: Questions
) -> MovedAnswers:
    """Render each vocal with each music that it is shown, and put the pairs to the Scorers.

    Args:
        scorers: at least one.
        source: of the windows.
        questions: that are asked.

    Raises:
        AudioError: if a pair cannot be rendered.
    """
    scores = {scorer.name: np.zeros(questions.shown.shape) for scorer in scorers}
    rendering_s = 0.0
    with Progress(total=questions.shown.size, desc="moved pairs", unit="pair") as bar:
        for row, shown in enumerate(questions.shown):
            vocal = questions.windows[row]
            began_s = time.perf_counter()
            proposals = [laid(source, vocal, questions.offered[index]) for index in shown]
            query = _heard(proposals[0].query)
            candidates = []
            for proposal in proposals:
                candidates.append(_heard(proposal.candidate))
                bar.update()
            rendering_s += time.perf_counter() - began_s
            for scorer in scorers:
                given = scorer.score(query, candidates).detach().cpu().numpy()
                scores[scorer.name][row] = given
    return MovedAnswers(
        {NAME.format(name): answers_of(given) for name, given in scores.items()},
        rendering_s / questions.shown.size,
    )


def laid(source: PhraseSource, vocal: PhraseWindow, music: PhraseWindow) -> Proposal:
    """Return one window's music moved under another's vocal, phrase on phrase; not rendered yet."""
    base, guest = source.clip(vocal.clip_id), source.clip(music.clip_id)
    base_facts, guest_facts = facts_of(base.row), facts_of(guest.row)
    assert base_facts.key and guest_facts.key  # windows are of clips with keys
    shift = shift_with(
        shift_to_fit(guest_facts.key, base_facts.key),
        cents_to_fit(guest_facts.tuning, base_facts.tuning),
    )
    tempo = folded(_bar_s(source, music) / _bar_s(source, vocal), (None, None), ANY_RATIO, _LEVELS)
    assert tempo is not None  # any ratio may be left
    level, ratio = tempo
    if not _lasts(guest_facts, music.bar, vocal.bars / level):
        level, ratio = 1.0, level * ratio
    placement = Placement(
        guest_bar=music.bar,
        base_bar=vocal.bar,
        bars=vocal.bars,
        semitones=shift.semitones,
        cents=shift.cents,
        tempo_level=level,
        tempo_ratio=ratio,
    )
    return placed(base, guest, placement, stays=(VOCAL,))


def _bar_s(source: PhraseSource, window: PhraseWindow) -> float:
    """Return how long a bar of a window lasts."""
    times_s = source.bars(window.clip_id).times_s
    return float(times_s[window.bar + window.bars - 1, -1] - times_s[window.bar, 0]) / window.bars


def _lasts(facts: SongFacts, bar: int, length: float) -> bool:
    """Return whether so many whole bars follow, so that nothing ends in silence."""
    bars = bars_of(facts)
    return bars is not None and bar in bars.phrases(round(length))


def _heard(group: Group) -> Group:
    """Render a group once, for all Scorers to hear."""
    return {
        role: ArrayPart(part.waveform(DEFAULT_RATE), DEFAULT_RATE, part.facts)
        for role, part in group.items()
    }
