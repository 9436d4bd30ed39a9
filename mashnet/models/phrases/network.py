"""What a network of phrases is asked for: it reads sound in beat time and compares phrases."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import nn

from mashnet.audio.beat_features import SAMPLE_RATE, BeatFrontend
from mashnet.data.phrases.phrase import Phrases


class PhraseNetwork(nn.Module):
    """Vectors of phrases, and corrections of what their products say.

    Attributes:
        read: from waves to beat time; nothing of it is learned.
    """

    sample_rate = SAMPLE_RATE

    def __init__(self) -> None:
        """Make what reads sound."""
        super().__init__()
        self.read = BeatFrontend()

    @abstractmethod
    def lead(self, phrases: Phrases) -> torch.Tensor:
        """Return the vectors of phrases that lead, (n, d): of a vocal, or of one stem."""

    @abstractmethod
    def backing(self, phrases: Phrases) -> torch.Tensor:
        """Return the vectors of phrases of what a lead is heard with, (m, d)."""

    @abstractmethod
    def correction(self, lead: Phrases, backing: Phrases) -> torch.Tensor:
        """Return what hearing both at once adds to the scores of n pairs, (n,)."""
