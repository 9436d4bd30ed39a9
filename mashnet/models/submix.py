"""The sum of a query's or candidate's parts, and a cache of what was computed of such groups."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

import numpy as np

from mashnet.data.parts import Group
from mashnet.data.roles import ACCOMPANIMENT, HARMONIC, VOCAL
from mashnet.music.song_facts import SongFacts

PITCHED_ROLES = (VOCAL, HARMONIC, ACCOMPANIMENT)

Encoding = TypeVar("Encoding")


def sides(group: Group, sample_rate: int) -> tuple[np.ndarray, np.ndarray]:
    """Return all roles of a group summed, and its pitched roles summed; both equally long.

    Percussion has no key and is left out of the second, which is silent where nothing is pitched.
    """
    waves = {role: part.waveform(sample_rate) for role, part in group.items()}
    length = max((len(wave) for wave in waves.values()), default=0)
    everything, pitched = np.zeros(length, np.float32), np.zeros(length, np.float32)
    for role in sorted(waves):
        everything[: len(waves[role])] += waves[role]
        if role in PITCHED_ROLES:
            pitched[: len(waves[role])] += waves[role]
    return everything, pitched


class EncodingCache(Generic[Encoding]):
    """Keeps what groups were encoded to, by roles, part ids and facts; the oldest go first.

    The same sound with other beats or another key is another question to whom is told of them.
    """

    def __init__(self, encode: Callable[[Group], Encoding], max_entries: int = 20_000) -> None:
        """Remember how to encode a group that is not known yet."""
        self._encode = encode
        self._max_entries = max_entries
        self._known: OrderedDict[Hashable, Encoding] = OrderedDict()

    def __call__(self, group: Group) -> Encoding:
        """Return the encoding of a group."""
        key = group_key(group)
        if key not in self._known:
            self._known[key] = self._encode(group)
            if len(self._known) > self._max_entries:
                self._known.popitem(last=False)
        self._known.move_to_end(key)
        return self._known[key]


def group_key(group: Group) -> Hashable:
    """Return what two groups share only if they sound the same and the same is known of them."""
    return tuple(
        (role, group[role].part_id, _identity(group[role].facts)) for role in sorted(group)
    )


def _identity(facts: SongFacts | None) -> Hashable:
    """Return what two facts share only if they say the same of the music; sequences as tuples."""
    return facts and (
        facts.duration_s,
        tuple(facts.beats_s),
        tuple(facts.downbeats_s),
        facts.beats_per_bar,
        facts.key,
        tuple(facts.sections),
        facts.tempo_bpm,
        facts.tuning,
    )
