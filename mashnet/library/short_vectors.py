"""Short vectors of the phrases of a library's clips, for whatever they can be compared in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from mashnet.data.phrases.beat_store import Side
from mashnet.library.meetings import Kind, Meetings
from mashnet.library.placed_sides import PlacedSides
from mashnet.library.reduction import Reduction
from mashnet.models.phrases.heard import HeardSide
from mashnet.models.phrases.places import encoded
from mashnet.models.phrases.scoring import PhraseScorer

_GUEST_STEP = 2  # bars between guests' phrases here: the exact comparison looks at all
_SAMPLED = 128  # clips of each side that reductions are fitted to
_OF_EACH = 24  # phrases of a clip that is sampled

# Number of a clip → short vectors of its phrases that sound, (shifts, phrases, d).
Short = dict[int, np.ndarray]


class ShortVectors:
    """Short vectors of all clips that can meet, read in one go after their maps are fitted.

    Attributes:
        guests: by kind of phrases.
        bases: by length in bars.
    """

    def __init__(self, sides: PlacedSides, scorer: PhraseScorer, meetings: Meetings) -> None:
        """Read the sides of one metre."""
        self._sides, self._scorer = sides, scorer
        self._kinds: dict[int, list[Kind]] = {}  # of each guest
        self._lengths: dict[int, set[int]] = {}  # of each base
        for kind, (guests, bases) in meetings.wanted.items():
            for guest in guests:
                self._kinds.setdefault(int(guest), []).append(kind)
            for base in bases:
                self._lengths.setdefault(int(base), set()).add(kind.length)
        guest_of = {sides.guests[meetings.guests[i]]: i for i in self._kinds}
        base_of = {sides.bases[meetings.bases[i]]: i for i in self._lengths}
        reductions = self._fitted(guest_of, base_of)
        self.guests: dict[Kind, Short] = {kind: {} for kind in meetings.wanted}
        self.bases: dict[int, Short] = {kind.length: {} for kind in meetings.wanted}
        for key, leads, number, found in self._read(guest_of, base_of):
            if key.length not in reductions:
                continue  # the other side has no phrase of this length that can be read
            if leads:
                short = found @ reductions[key.length].of_lead
                self.guests[key][number] = short.numpy()
            else:
                short = found @ reductions[key.length].of_backing
                self.bases[key.length][number] = short.numpy()

    def _fitted(self, guest_of: dict[Side, int], base_of: dict[Side, int]) -> dict[int, Reduction]:
        leads: dict[int, list[torch.Tensor]] = {}
        backings: dict[int, list[torch.Tensor]] = {}
        for key, is_guest, _, found in self._read(_spread(guest_of), _spread(base_of)):
            some = found[len(found) // 2, :: max(1, found.shape[1] // _OF_EACH)]
            (leads if is_guest else backings).setdefault(key.length, []).append(some)
        return {
            length: Reduction.fit(torch.cat(leads[length]), torch.cat(backings[length]))
            for length in leads.keys() & backings.keys()
        }

    def _read(
        self, guest_of: dict[Side, int], base_of: dict[Side, int]
    ) -> Iterator[tuple[Kind, bool, int, torch.Tensor]]:
        """Yield vectors of phrases that sound, (shifts, phrases, numbers), and whose they are."""
        for side, heard in self._sides.read([*guest_of, *base_of]):
            if side in guest_of:
                for kind in self._kinds[guest_of[side]]:
                    yield kind, True, guest_of[side], self._lead(heard, kind)
            if side in base_of:
                for length in self._lengths[base_of[side]]:
                    one = encoded(self._scorer.network, heard, length, leads=False)
                    sounding = one.vectors[:, one.silence == 0].cpu()
                    yield Kind(length, 1.0), False, base_of[side], sounding

    def _lead(self, heard: HeardSide, kind: Kind) -> torch.Tensor:
        one = encoded(
            self._scorer.network,
            heard,
            kind.length,
            leads=True,
            shifts=self._scorer.shifts,
            level=kind.level,
            step=_GUEST_STEP,
        )
        return one.vectors[:, one.silence == 0].cpu()


def _spread(sides: dict[Side, int]) -> dict[Side, int]:
    """Return some, evenly spaced."""
    keys: Sequence[Side] = list(sides)
    chosen = np.linspace(0, len(keys) - 1, min(_SAMPLED, len(keys))).astype(int)
    return {keys[i]: sides[keys[i]] for i in chosen}
