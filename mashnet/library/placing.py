"""All pairs of a library judged before anything is moved: which vocal goes where on which music."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch

from mashnet.data.mashupdb import MashupDB
from mashnet.data.mixes.candidates import Limits
from mashnet.data.phrases.beat_store import BeatStore, Side
from mashnet.library.placed_sides import PlacedSides, placed_sides
from mashnet.library.shortlist import shortlist
from mashnet.models.phrases.heard import HeardSide
from mashnet.models.phrases.kept import KeptEncodings
from mashnet.models.phrases.moves import Move, move_of
from mashnet.models.phrases.places import (
    NOTHING,
    Encoded,
    best_places,
    common_length,
    encoded,
    placement_of,
)
from mashnet.models.phrases.scoring import PhraseScorer
from mashnet.music.placement import Placement

HEARD_PER_PAIR = (
    4  # pairs that are compared exactly, and by the joint head, for each that is wanted
)


@dataclass(frozen=True)
class PlacedPair:
    """A vocal laid on the music of another song.

    Attributes:
        base: clip id of the music.
        guest: clip id of the vocal.
        placement: where its best phrase lies.
    """

    base: str
    guest: str
    placement: Placement


@dataclass(frozen=True)
class PlacedPairs:
    """What became of a library.

    Attributes:
        pairs: best first.
        left_out: which songs take no part, and why, a line each.
    """

    pairs: list[PlacedPair]
    left_out: list[str]


@torch.inference_mode()
def best_pairs(
    database: MashupDB,
    scorer: PhraseScorer,
    *,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    split: str = "all",
    which: str = "one",
    most: int | None = None,
    bases: Container[str] | None = None,
    store: BeatStore | None = None,
) -> PlacedPairs:
    """Return the best pairs of a library, each with the best of its placements.

    Args:
        database: the library.
        scorer: who judges. It tries shifts up to its `most_semitones` beyond those of the keys.
        limits: how far a guest may be moved; of its levels those between bars of one metre count.
        split: train, val, test or all.
        which: one clip of each song, or all.
        most: how many pairs, at most; so many times HEARD_PER_PAIR are compared exactly, and of
            more those that short vectors like best. None: all that are within limits, and that
            takes half a millisecond each.
        bases: clip ids on whose music guests are laid; None: all.
        store: of the library's beat features; None: a new one. What it lacks is computed.

    Returns:
        Ordered pairs of different songs; scores are those of `PhraseScorer.place`.

    Raises:
        ConfigError: if a setting makes no sense.
    """
    sides = placed_sides(store or BeatStore(database), split=split, which=which, bases=bases)
    names = _names(sides)
    if most is not None and len(names) > HEARD_PER_PAIR * most:
        names = shortlist(sides, scorer, limits, HEARD_PER_PAIR * most)
    grounds = _heard(sides, {sides.bases[base] for base, _ in names})
    guests = _heard(sides, {sides.guests[guest] for _, guest in names})
    names = sorted(pair for pair in names if pair[0] in grounds and pair[1] in guests)
    pairs = sorted(
        _placed(scorer, names, grounds, guests, limits),
        key=lambda pair: (-pair.placement.score, pair.base, pair.guest),
    )
    # Silence fits nothing; a score that is no number comes from features that are none.
    sounding = [pair for pair in pairs if pair.placement.score > NOTHING / 2]
    return PlacedPairs(sounding[:most], sides.all_left_out())


def _names(sides: PlacedSides) -> list[tuple[str, str]]:
    """Return all ordered pairs of clips of different songs, (base, guest)."""
    return [
        (base, guest)
        for base in sides.bases
        for guest in sides.guests
        if sides.song_id(base) != sides.song_id(guest)
    ]


def _heard(sides: PlacedSides, wanted: Iterable[Side]) -> dict[str, HeardSide]:
    return {side.clip_id: heard for side, heard in sides.read(wanted)}


@dataclass(frozen=True)
class _Meeting:
    base: str
    guest: str
    move: Move
    length: int


def _placed(
    scorer: PhraseScorer,
    names: Iterable[tuple[str, str]],
    grounds: dict[str, HeardSide],
    guests: dict[str, HeardSide],
    limits: Limits,
) -> list[PlacedPair]:
    """Compare pairs of clips exactly, phrase by phrase; those outside limits are left out."""
    kept, meetings = KeptEncodings(), []
    lead = partial(encoded, scorer.network, leads=True, shifts=scorer.shifts)
    backing = partial(encoded, scorer.network, leads=False)

    def pairs() -> Iterator[tuple[Encoded, Encoded, Sequence[int]]]:
        for base, guest in names:
            found = _meeting(grounds[base], guests[guest], limits, scorer.frontend.bars)
            if found is None:
                continue
            move, length = found
            allowed = [i for i, may in enumerate(move.allowed(scorer.shifts, limits)) if may]
            if not allowed:
                continue
            meetings.append(_Meeting(base, guest, move, length))
            level = move.tempo.level

            yield (
                kept.get((guest, length, level), partial(lead, guests[guest], length, level=level)),
                kept.get((base, length), partial(backing, grounds[base], length)),
                allowed,
            )

    places = best_places(scorer.network, pairs(), scorer.shifts, guest_leads=True)
    return [
        PlacedPair(
            m.base,
            m.guest,
            placement_of(place, m.move, guests[m.guest], grounds[m.base], m.length),
        )
        for m, place in zip(meetings, places, strict=True)
    ]


def _meeting(
    base: HeardSide, guest: HeardSide, limits: Limits, bars: int
) -> tuple[Move, int] | None:
    """Return how a guest meets a base and for how many bars; None where it cannot."""
    assert base.bars is not None and guest.bars is not None
    if base.bars.beats_per_bar != guest.bars.beats_per_bar:
        return None
    move = move_of(guest.facts, base.facts, limits)
    if move is None:
        return None
    length = common_length(base.bars, guest.bars, move.tempo.level, bars)
    return (move, length) if length else None
