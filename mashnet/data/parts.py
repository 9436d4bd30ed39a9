"""Parts: the sound of one role of a mix, read or rendered when it is first needed.

A Scorer is handed groups of parts (`{"vocal": part, "harmonic": part, ...}`). It asks a part for
its waveform at the rate it needs, and uses `part_id` to encode the same part only once.

Parts of a MashupDB know their music: its `facts` are those of the clip, moved as the part is.
They say nothing about the sound, so that part ids and equality do not depend on them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
import soxr

from mashnet.audio.io import read_audio
from mashnet.data.roles import PERCUSSION
from mashnet.errors import ConfigError
from mashnet.files import content_id, file_digest
from mashnet.music.song_facts import SongFacts
from mashnet.storage.paths import root_of


class Part(Protocol):
    """One role of a mix."""

    @property
    def part_id(self) -> str:
        """Equal for two parts only if they sound the same (a content hash)."""

    @property
    def facts(self) -> SongFacts | None:
        """What is known of its music, in seconds from its own beginning; None: nothing."""

    def waveform(self, sample_rate: int) -> np.ndarray:
        """Return mono float32 samples, shape (samples,), at `sample_rate` Hz."""


Group = Mapping[str, Part]  # role → part; the roles that a query or a candidate brings


class Query(dict[str, Part]):
    """A group that also says, in free text, which instrument is looked for.

    Scorers that are not conditioned on text read it as the plain group that it is.
    """

    def __init__(self, parts: Group, *, instrument: str = "") -> None:
        """Take the group and the instrument; "" leaves it open."""
        super().__init__(parts)
        self.instrument = instrument


def instrument_of(group: Group) -> str:
    """Return which instrument a query looks for; "" where it does not say."""
    return group.instrument if isinstance(group, Query) else ""


def facts_of_group(group: Group) -> SongFacts | None:
    """Return what is known of the music of a group.

    Those of a pitched role are taken where one has any: they say the key. None where its roles do
    not agree (`agreed`), or know nothing.
    """
    roles = sorted(group, key=lambda role: (role == PERCUSSION, role))
    return agreed(group[role].facts for role in roles)


def agreed(facts: Iterable[SongFacts | None]) -> SongFacts | None:
    """Return the first facts that are any, if all that are any have the same beats and bars."""
    known = [one for one in facts if one is not None]
    times = {(tuple(one.beats_s), tuple(one.downbeats_s)) for one in known}
    return known[0] if len(times) == 1 else None


def named_instrument(text: str) -> str:
    """Return an instrument that a person was asked for.

    Raises:
        ConfigError: if nothing is named.
    """
    if not text.strip():
        raise ConfigError(
            'instrument="" says nothing; name one, such as instrument="fretless bass", or leave '
            "it out"
        )
    return text


@dataclass(frozen=True)
class FilePart:
    """A sound file, of this machine or in a store, mixed down to mono."""

    path: Path
    facts: SongFacts | None = field(default=None, compare=False, repr=False)

    @cached_property
    def part_id(self) -> str:
        """Hash of the file's bytes."""
        return content_id("file", file_digest(root_of(self.path)))

    def waveform(self, sample_rate: int) -> np.ndarray:
        """Decode the whole file at `sample_rate`; raises AudioError if it cannot be used."""
        audio, _ = read_audio(self.path, sample_rate=sample_rate, mono=True)
        return audio[0]


@dataclass(frozen=True, eq=False)
class ArrayPart:
    """Samples in memory, mono, shape (samples,)."""

    samples: np.ndarray
    sample_rate: int
    facts: SongFacts | None = None

    @cached_property
    def part_id(self) -> str:
        """Hash of the samples and their rate."""
        return content_id("array", np.ascontiguousarray(self.samples).tobytes(), self.sample_rate)

    def waveform(self, sample_rate: int) -> np.ndarray:
        """Return the samples, resampled if need be."""
        samples = np.asarray(self.samples, dtype=np.float32)
        if sample_rate == self.sample_rate:
            return samples
        return soxr.resample(samples, self.sample_rate, sample_rate).astype(np.float32)


@dataclass(frozen=True)
class SumPart:
    """Several parts that sound together; shorter ones end in silence."""

    parts: tuple[Part, ...]

    @cached_property
    def facts(self) -> SongFacts | None:
        """Those of its first part that has any; None where its parts do not agree (`agreed`)."""
        return agreed(part.facts for part in self.parts)

    @cached_property
    def part_id(self) -> str:
        """Hash of the parts, in whatever order they come."""
        return content_id("sum of parts", *sorted(part.part_id for part in self.parts))

    def waveform(self, sample_rate: int) -> np.ndarray:
        """Return the sum, as long as the longest part."""
        waves = [part.waveform(sample_rate) for part in self.parts]
        total = np.zeros(max(map(len, waves)), np.float32)
        for wave in waves:
            total[: len(wave)] += wave
        return total


@dataclass(frozen=True)
class SlicedPart:
    """A stretch of a part; silence where the part has ended."""

    part: Part
    start_s: float
    duration_s: float

    @cached_property
    def facts(self) -> SongFacts | None:
        """Those of the part, from the beginning of the stretch."""
        known = self.part.facts
        return known and known.moved(lambda t: t - self.start_s, duration_s=self.duration_s)

    @cached_property
    def part_id(self) -> str:
        """Hash of the part and the stretch."""
        return content_id("slice", self.part.part_id, self.start_s, self.duration_s)

    def waveform(self, sample_rate: int) -> np.ndarray:
        """Return exactly `duration_s` of samples."""
        first = round(self.start_s * sample_rate)
        length = round(self.duration_s * sample_rate)
        samples = self.part.waveform(sample_rate)[first : first + length]
        return np.pad(samples, (0, length - len(samples)))
