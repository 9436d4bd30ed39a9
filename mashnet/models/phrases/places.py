"""Where the phrases of two sides meet best: all on all by vectors, the best by the joint head."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch

from mashnet.data.phrases.frontend import LENGTHS
from mashnet.data.phrases.phrase import Phrases, joined
from mashnet.models.phrases.heard import HeardSide
from mashnet.models.phrases.moves import Move
from mashnet.models.phrases.network import PhraseNetwork
from mashnet.music.bars import Bars
from mashnet.music.placement import Placement

NOTHING = -100.0  # the score of a pair that cannot be compared: below all that can
HEARD_TOGETHER = 8  # the best places of a pair that the joint head hears
_MOST_HEARD = 512  # places at once


@dataclass(frozen=True)
class Place:
    """Where the phrases of a pair meet best, and how well."""

    guest: int  # number of the guest's phrase
    base: int
    beyond: int  # semitones by which the guest goes up, beyond what keys say
    score: float
    confidence: float


@dataclass(frozen=True, eq=False)
class Encoded:
    """Phrases of one side as a network knows them.

    Attributes:
        phrases: n of them, of equal length.
        vectors: at each shift, (shifts, n, d); only a guest has more than one.
        silence: 0, or NOTHING for phrases that are silent, (n,).
    """

    phrases: Phrases
    vectors: torch.Tensor
    silence: torch.Tensor

    @property
    def nbytes(self) -> int:
        """How much memory it takes."""
        parts = (self.phrases.onsets, self.phrases.chroma, self.vectors)
        return sum(part.nbytes for part in parts)


def encoded(
    network: PhraseNetwork,
    heard: HeardSide,
    length: int,
    *,
    leads: bool,
    shifts: Sequence[int] = (0,),
    level: float = 1.0,
    step: int = 1,
) -> Encoded:
    """Encode the phrases of a side, on the network's device.

    Args:
        network: that encodes.
        heard: a side that has phrases of this length.
        length: in bars of the base.
        leads: whether the side leads, or is led.
        shifts: at which it is encoded, in semitones.
        level: how many beats of the base one of the side's lasts.
        step: 1 takes all phrases, 2 every second.
    """
    phrases = phrases_of(heard, length, level, step)
    vectors_of = network.lead if leads else network.backing
    vectors = torch.stack([vectors_of(phrases.shifted(k)) for k in shifts])
    silence = torch.where(phrases.sounding(), 0.0, NOTHING)
    return Encoded(phrases, vectors, silence)


def common_length(base: Bars, guest: Bars, level: float, most: int) -> int:
    """Return how many bars of the base the longest phrases last that both have; 0: none.

    Args:
        base: its bars.
        guest: its bars.
        level: how many beats of the base one of the guest's lasts.
        most: bars that are wanted.
    """
    for length in LENGTHS:
        if length <= most and len(base.phrases(length)):
            if len(guest.phrases(round(length / level))):
                return length
    return 0


def phrases_of(heard: HeardSide, length: int, level: float = 1.0, step: int = 1) -> Phrases:
    """Return the phrases of a side that has some.

    Args:
        heard: a side with bars.
        length: of a phrase in bars of the base.
        level: how many beats of the base one of the side's lasts.
        step: 1 takes all, 2 every second.
    """
    assert heard.bars is not None and heard.side is not None
    own = round(length / level)
    return heard.side.cut(heard.bars.phrases(own)[::step], own).at_level(level)


def placement_of(
    place: Place, move: Move, guest: HeardSide, base: HeardSide, length: int
) -> Placement:
    """Say where phrases of `phrases_of` meet in bars of their clips."""
    assert guest.bars is not None and base.bars is not None
    shift = move.shift(place.beyond)
    return Placement(
        guest_bar=int(guest.bars.phrases(round(length / move.tempo.level))[place.guest]),
        base_bar=int(base.bars.phrases(length)[place.base]),
        bars=length,
        semitones=shift.semitones,
        cents=shift.cents,
        tempo_level=move.tempo.level,
        tempo_ratio=move.tempo.ratio,
        score=place.score,
        confidence=place.confidence,
    )


def best_places(
    network: PhraseNetwork,
    pairs: Iterable[tuple[Encoded, Encoded, Sequence[int]]],
    shifts: Sequence[int],
    *,
    guest_leads: bool,
) -> list[Place]:
    """Return where each guest meets its base best.

    Args:
        network: that encoded them.
        pairs: guest, base, and which shifts are allowed, by their numbers in `shifts`.
        shifts: at which guests are encoded.
        guest_leads: or the bases do.
    """
    found = _corrected(network, pairs, shifts, guest_leads)
    return [_best(shortlist, corrected) for shortlist, corrected in found]


def best_scores(
    network: PhraseNetwork,
    pairs: Iterable[tuple[Encoded, Encoded, Sequence[int]]],
    shifts: Sequence[int],
    *,
    guest_leads: bool,
) -> torch.Tensor:
    """Return the scores of `best_places`, (pairs,), on the network's device."""
    found = _corrected(network, pairs, shifts, guest_leads)
    return torch.stack([corrected.amax() for _, corrected in found])


@dataclass(frozen=True, eq=False)
class _Shortlist:
    """The best places of a pair by vectors.

    Attributes:
        heard: their scores, (places,).
        guest: numbers of their phrases, (places,).
        base: likewise.
        beyond: semitones beyond what keys say, (places,).
        scores: of all places, (shifts, guest's phrases, base's phrases).
        phrases: the guest's, shifted, and the base's.
    """

    heard: torch.Tensor
    guest: torch.Tensor
    base: torch.Tensor
    beyond: torch.Tensor
    scores: torch.Tensor
    phrases: tuple[Phrases, Phrases]


def _shortlist(
    guest: Encoded, base: Encoded, allowed: Sequence[int], shifts: Sequence[int]
) -> _Shortlist:
    scores = guest.vectors[list(allowed)] @ base.vectors[0].T
    heard = scores + guest.silence[None, :, None] + base.silence
    best = heard.flatten().topk(min(HEARD_TOGETHER, heard.numel()))
    tried = torch.tensor([shifts[k] for k in allowed]).to(heard.device)
    of_base, of_guest = scores.shape[2], scores.shape[1] * scores.shape[2]
    beyond = tried[best.indices // of_guest]
    g, b = best.indices % of_guest // of_base, best.indices % of_base
    phrases = guest.phrases[g].shifted(beyond), base.phrases[b]
    return _Shortlist(best.values, g, b, beyond, scores, phrases)


def _corrected(
    network: PhraseNetwork,
    pairs: Iterable[tuple[Encoded, Encoded, Sequence[int]]],
    shifts: Sequence[int],
    guest_leads: bool,
) -> Iterator[tuple[_Shortlist, torch.Tensor]]:
    """Yield the best places of each pair, and their scores once both sides were heard at once."""
    waiting: list[_Shortlist] = []
    for guest, base, allowed in pairs:
        waiting.append(_shortlist(guest, base, allowed, shifts))
        if sum(len(one.heard) for one in waiting) >= _MOST_HEARD:
            yield from _heard_together(network, waiting, guest_leads)
            waiting = []
    yield from _heard_together(network, waiting, guest_leads)


def _heard_together(
    network: PhraseNetwork, waiting: list[_Shortlist], guest_leads: bool
) -> Iterator[tuple[_Shortlist, torch.Tensor]]:
    """Hear the places of several pairs at once, those with equally many bars and beats."""
    corrections: dict[int, torch.Tensor] = {}
    sizes = [(one.phrases[0].bars, one.phrases[0].level.shape[1]) for one in waiting]
    for size in dict.fromkeys(sizes):
        members = [i for i, own in enumerate(sizes) if own == size]
        guests, bases = (joined([waiting[i].phrases[side] for i in members]) for side in (0, 1))
        pair = (guests, bases) if guest_leads else (bases, guests)
        parts = network.correction(*pair).split([len(waiting[i].heard) for i in members])
        corrections |= dict(zip(members, parts, strict=True))
    for number, one in enumerate(waiting):
        yield one, one.heard + corrections[number]


def _best(found: _Shortlist, corrected: torch.Tensor) -> Place:
    first = int(corrected.argmax())
    guest, score = int(found.guest[first]), float(corrected[first])
    # How sure the place is: of all bars and shifts that this phrase could be laid on.
    others = found.scores[:, guest].flatten() + (corrected[first] - found.heard[first])
    confidence = min(1.0, math.exp(score - float(torch.logsumexp(others, 0))))
    return Place(guest, int(found.base[first]), int(found.beyond[first]), score, confidence)
