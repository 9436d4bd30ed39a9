"""Stems of a MashupDB as parts that are asked for again and again: decoded once, named by id."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mashnet.data.parts import FilePart
from mashnet.files import content_id
from mashnet.music.song_facts import SongFacts

_MOST_BYTES = 512 << 20


class DecodedStems:
    """Keeps the stems that were decoded last."""

    def __init__(self) -> None:
        """Keep none yet."""
        self._waves: OrderedDict[tuple[str, int], np.ndarray] = OrderedDict()
        self._bytes = 0

    def waveform(self, stem_id: str, path: Path, sample_rate: int) -> np.ndarray:
        """Return a stem at `sample_rate` Hz, mono float32, (samples,); it must not be changed.

        Raises:
            AudioError: if its file cannot be used.
        """
        key = (stem_id, sample_rate)
        if key not in self._waves:
            wave = FilePart(path).waveform(sample_rate)
            self._waves[key] = wave
            self._bytes += wave.nbytes
            while self._bytes > _MOST_BYTES and len(self._waves) > 1:
                _, oldest = self._waves.popitem(last=False)
                self._bytes -= oldest.nbytes
        self._waves.move_to_end(key)
        return self._waves[key]


@dataclass(frozen=True)
class StemPart:
    """A stem of the database, named by its id, so that nobody has to hash its file."""

    stem_id: str
    path: Path
    decoded: DecodedStems
    facts: SongFacts | None = field(default=None, compare=False, repr=False)

    @property
    def part_id(self) -> str:
        """Hash of the stem's id."""
        return content_id("stem", self.stem_id)

    def waveform(self, sample_rate: int) -> np.ndarray:
        """Return a copy, (samples,): who listens may change what it was given.

        Raises:
            AudioError: if its file cannot be used.
        """
        return self.decoded.waveform(self.stem_id, self.path, sample_rate).copy()
