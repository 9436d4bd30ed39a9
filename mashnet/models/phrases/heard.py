"""A side as PlaceNet has heard it: read once, cut into phrases as often as it is asked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from mashnet.data.phrases.frontend import WavesOnBars, cents_of
from mashnet.data.phrases.phrase import Phrases, SidePhrases
from mashnet.models.phrases.placenet import PlaceNet
from mashnet.music.bars import Bars
from mashnet.music.beats import tempo_of
from mashnet.music.song_facts import SongFacts


@dataclass(frozen=True)
class HeardSide:
    """A group in beat time.

    Attributes:
        facts: of its song.
        bars: which there are, and None where none is whole.
        side: bar by bar, None likewise.
    """

    facts: SongFacts
    bars: Bars | None
    side: SidePhrases | None

    @classmethod
    def read(cls, network: PlaceNet, waves: WavesOnBars, device: torch.device) -> HeardSide:
        """Read waves on a device."""
        facts, bars = waves.facts, waves.bars
        if bars is None:
            return cls(facts, None, None)
        sounds = (
            torch.from_numpy(wave)[None].to(device) for wave in (waves.pitched, waves.everything)
        )
        features = network.read(*sounds, bars.times_s, cents_of(facts.tuning))[0]
        return cls(facts, bars, SidePhrases.of(features, facts.key))

    @property
    def beats_per_bar(self) -> int:
        """How many beats its bars have; 0 where it has none."""
        return self.bars.beats_per_bar if self.bars else 0

    @property
    def tempo_bpm(self) -> float:
        """Its tempo, of the beats where nothing else says it."""
        return self.facts.tempo_bpm or tempo_of(self.facts.beats_s)

    def starts(self, bars: int) -> np.ndarray:
        """Return the bars at which phrases of a length begin, (phrases,)."""
        return self.bars.phrases(bars) if self.bars else np.zeros(0, np.int64)

    def phrases(self, bars: int) -> Phrases:
        """Return all phrases of a length."""
        assert self.side is not None
        return self.side.cut(self.starts(bars), bars)
