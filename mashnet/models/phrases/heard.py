"""A side as a network of phrases has heard it: in beat time, beside what is known of its music."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from mashnet.data.phrases.frontend import WavesOnBars, cents_of
from mashnet.data.phrases.phrase import SidePhrases
from mashnet.models.phrases.network import PhraseNetwork
from mashnet.music.bars import Bars
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
    def read(cls, network: PhraseNetwork, waves: WavesOnBars, device: torch.device) -> HeardSide:
        """Read waves on a device."""
        facts, bars = waves.facts, waves.bars
        if bars is None:
            return cls(facts, None, None)
        sounds = (
            torch.from_numpy(wave)[None].to(device) for wave in (waves.pitched, waves.everything)
        )
        features = network.read(*sounds, bars.times_s, cents_of(facts.tuning))[0]
        return cls(facts, bars, SidePhrases.of(features, facts.key))
