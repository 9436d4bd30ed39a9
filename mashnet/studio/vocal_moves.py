"""How the score of a mashup changes when its vocal is moved away from where it was laid.

One stretch of the mashup is heard: the one in which most is sung. Every point, the unmoved one
included, passes the stretch engine once, so that what changes along a curve is the fit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from mashnet.data.mixes.rendering import RenderedPart
from mashnet.data.parts import Group, Part, SlicedPart, facts_of_group
from mashnet.data.song_clips import VOCAL
from mashnet.evaluation.curves import peak_at_zero
from mashnet.evaluation.subjects.moves import KINDS, Kind, Move
from mashnet.mashups.proposals import Proposal
from mashnet.models.score_matrix import score_groups
from mashnet.models.scorer import Scorer

HEARD_S = 20.0  # of a mashup, at most
AMOUNTS = {  # by the name of the kind, in its unit
    "pitch": np.arange(-6.0, 7.0),
    "tempo": np.arange(-30.0, 31.0, 10.0),
    "beats": np.arange(-1.0, 1.01, 0.25),
}
_AT_ONCE = 9  # points between two signs of life
_WINDOW_RATE = 8000  # Hz; enough to see where somebody sings


@dataclass(frozen=True)
class Curve:
    """Scores of one kind of move.

    Attributes:
        kind: pitch, tempo or beats.
        amounts: in the kind's unit, shape (points,); 0 is where the vocal was laid.
        scores: shape (points,).
    """

    kind: Kind
    amounts: np.ndarray
    scores: np.ndarray

    @property
    def best(self) -> float:
        """The amount with the highest score; 0 if it is among them."""
        if peak_at_zero(self.scores[None], self.amounts)[0] > 0:
            return 0.0
        return float(self.amounts[self.scores.argmax()])

    @property
    def at_zero(self) -> float:
        """The score where the vocal was laid."""
        return float(self.scores[np.abs(self.amounts).argmin()])


def curves_of(
    scorer: Scorer, proposal: Proposal, *, progress: Callable[[float], object] = lambda share: None
) -> list[Curve]:
    """Move the vocal of a mashup in pitch, tempo and time, and score each.

    Args:
        scorer: whom to ask.
        proposal: a vocal on music.
        progress: is told how much is done, from 0 to 1.

    Returns:
        A curve for each kind of `mashnet.evaluation.subjects.moves`; without beats only where the
        base has no tempo.
    """
    music = facts_of_group(proposal.query)
    tempo_bpm = music.tempo_bpm or 0.0 if music else 0.0
    kinds = [kind for kind in KINDS if kind.name != "beats" or tempo_bpm > 0]
    points = list(
        dict.fromkeys(kind.move(amount) for kind in kinds for amount in AMOUNTS[kind.name])
    )
    vocal = _rendered(proposal.candidate[VOCAL])
    start_s, length_s = busiest_stretch(vocal)
    downbeats = [t for t in (music.downbeats_s if music else ()) if t >= start_s]
    anchor_s = downbeats[0] if downbeats else start_s
    query = {role: SlicedPart(p, start_s, length_s) for role, p in proposal.query.items()}
    beat_s = 60 / tempo_bpm if tempo_bpm > 0 else 0.0
    groups: list[tuple[Group, Group]] = [
        (
            query,
            {
                VOCAL: replace(
                    moved(vocal, move, anchor_s=anchor_s, beat_s=beat_s, begin_s=start_s),
                    duration_s=length_s,
                )
            },
        )
        for move in points
    ]
    scores = []
    for begin in range(0, len(groups), _AT_ONCE):
        scores.append(score_groups(scorer, groups[begin : begin + _AT_ONCE], what="moved vocals"))
        progress(min(1.0, (begin + _AT_ONCE) / len(groups)))
    score_of: Mapping[Move, float] = dict(zip(points, np.concatenate(scores), strict=True))
    return [
        Curve(
            kind,
            AMOUNTS[kind.name],
            np.array([score_of[kind.move(amount)] for amount in AMOUNTS[kind.name]]),
        )
        for kind in kinds
    ]


def moved(
    part: RenderedPart, move: Move, *, anchor_s: float, beat_s: float, begin_s: float = 0.0
) -> RenderedPart:
    """Move a part on top of what is done to it already, in the same pass of the engine.

    Args:
        part: what is moved.
        move: in pitch, tempo and time.
        anchor_s: time of the mix that stays where it is when the tempo changes.
        beat_s: how long a beat of the mix is.
        begin_s: time of the mix at which the result begins.
    """
    ratio = 1 + move.tempo_percent / 100

    def placed(mix_s: float) -> float:
        return anchor_s + (mix_s - anchor_s) / ratio + move.beats * beat_s - begin_s

    return replace(
        part,
        semitones=part.semitones + move.semitones,
        tempo_ratio=part.tempo_ratio * ratio,
        place_s=placed(part.place_s),
        keyframes_s=tuple((stem_s, placed(mix_s)) for stem_s, mix_s in part.keyframes_s),
        force=True,
    )


def busiest_stretch(part: Part) -> tuple[float, float]:
    """Return start and length in seconds of the stretch of `HEARD_S` in which most sounds."""
    wave = part.waveform(_WINDOW_RATE)
    seconds = len(wave) / _WINDOW_RATE
    if seconds <= HEARD_S:
        return 0.0, seconds
    whole = wave[: len(wave) // _WINDOW_RATE * _WINDOW_RATE].reshape(-1, _WINDOW_RATE)
    levels = np.sqrt(np.mean(whole**2, axis=1))
    # A second counts by whether it sounds; a shout does not outweigh a verse.
    sounding = (levels > 0.1 * levels.max(initial=0.0)).astype(float)
    length = int(HEARD_S)
    sums = np.convolve(sounding, np.ones(length), mode="valid")
    return float(sums.argmax()), HEARD_S


def _rendered(part: Part) -> RenderedPart:
    if not isinstance(part, RenderedPart):
        raise TypeError(f"a guest's vocal is a RenderedPart, not {type(part).__name__}")
    return part
