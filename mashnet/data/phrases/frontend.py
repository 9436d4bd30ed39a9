"""From parts to what a network of phrases takes: two waves, and the bars that the parts know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mashnet.audio.beat_features import SAMPLE_RATE
from mashnet.data.parts import Group, facts_of_group
from mashnet.data.roles import PERCUSSION
from mashnet.errors import ConfigError
from mashnet.music.bars import Bars, bars_of
from mashnet.music.song_facts import SongFacts
from mashnet.music.tunings import SURE, Tuning

LENGTHS = (16, 8, 4)  # bars that a phrase may last


def cents_of(tuning: Tuning | None) -> float:
    """Return by how much a tuning is off A440, in cents; 0 where it is not sure."""
    return round(tuning.cents, 1) if tuning is not None and tuning.confidence >= SURE else 0.0


@dataclass(frozen=True)
class WavesOnBars:
    """A group's sound, and what is known of its music.

    Attributes:
        pitched: all of it but percussion, (samples,).
        everything: (samples,).
        facts: of its song.
        bars: which there are; None where none is whole, and then there is nothing to compare.
    """

    pitched: np.ndarray
    everything: np.ndarray
    facts: SongFacts
    bars: Bars | None


class PhraseFrontend:
    """Parts of a MashupDB know their bars; a stranger's are tracked."""

    def __init__(self, *, bars: int = 8) -> None:
        """Set how long a phrase is.

        Args:
            bars: of the phrases that are placed: 4, 8 or 16.

        Raises:
            ConfigError: if it is another number.
        """
        if bars not in LENGTHS:
            raise ConfigError(f"frontend.bars={bars} must be one of {sorted(LENGTHS)}")
        self.bars = bars
        self.settings: dict[str, Any] = {"bars": bars}

    @property
    def sample_rate(self) -> int:
        """Hz, of the sound it takes."""
        return SAMPLE_RATE

    def describe(self) -> str:
        """Say in one line what goes in."""
        return (
            f"phrases of {self.bars} bars in beat time: onsets at 12 moments a beat in 3 bands, "
            f"pitch classes twice a beat, relative to key and tuning"
        )

    def waves_of(self, group: Group) -> WavesOnBars:
        """Read a group's sound.

        Args:
            group: roles of one song.

        Raises:
            AudioError: if a part cannot be read.
            ModuleNotFoundError: if beats have to be tracked and what tracks them is missing.
        """
        waves = {role: part.waveform(SAMPLE_RATE) for role, part in group.items()}
        length = max((len(wave) for wave in waves.values()), default=0)
        everything, pitched = np.zeros(length, np.float32), np.zeros(length, np.float32)
        for role in sorted(waves):
            everything[: len(waves[role])] += waves[role]
            if role != PERCUSSION:
                pitched[: len(waves[role])] += waves[role]
        facts = facts_of_group(group) or _tracked(everything, pitched)
        return WavesOnBars(pitched, everything, facts, bars_of(facts) if length else None)


def _tracked(everything: np.ndarray, pitched: np.ndarray) -> SongFacts:
    """Analyse a stranger's sound."""
    # Imported here: parts of a library need no tracker, and not everybody has one.
    from mashnet.audio.annotate import annotate
    from mashnet.audio.tuning import estimate_tuning

    found = annotate(everything[None], SAMPLE_RATE)
    return SongFacts(
        name="a recording",
        duration_s=len(everything) / SAMPLE_RATE,
        beats_s=found.beats,
        downbeats_s=found.downbeats,
        beats_per_bar=found.beats_per_bar or None,
        key=found.key if found.key_confidence > 0 else None,
        tempo_bpm=found.tempo_bpm or None,
        tuning=estimate_tuning(pitched[None], SAMPLE_RATE),
    )
