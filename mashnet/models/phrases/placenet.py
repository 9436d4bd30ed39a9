"""PlaceNet: judges phrases before they are moved, and so where they could be laid.

A phrase is a vector that keeps its place in bars; tempo and key are gone before it is made
(mashnet.audio.beat_features). A pair's score is a product of vectors, so that a library is searched
by one matrix product, over all bars and all keys. A joint head, which hears both phrases, corrects
the scores of the best. Scores are logits: their differences say how much likelier one is.

Nobody has published such a network. Huang et al. (AAAI 2021) name it as what their system lacks:
"an embedding invariant to key and tempo".
"""

from __future__ import annotations

import torch
from torch import nn

from mashnet.audio.beat_features import SAMPLE_RATE, BeatFrontend
from mashnet.data.phrases.phrase import Phrases
from mashnet.models.phrases.joint import JointHead
from mashnet.models.phrases.terms import START, vectors_of


class PlaceNet(nn.Module):
    """Terms of two phrases, weighed, and a joint head.

    Attributes:
        read: from waves to beat time; nothing of it is learned.
    """

    sample_rate = SAMPLE_RATE

    def __init__(self, *, channels: int = 8, dropout: float = 0.5) -> None:
        """Set the sizes of the joint head.

        Args:
            channels: of its hidden layers; 0 leaves it out.
            dropout: share of its hidden numbers dropped in training.
        """
        super().__init__()
        self.read = BeatFrontend()
        self.weights = nn.Parameter(torch.tensor(list(START.values())))
        self.joint = JointHead(channels, dropout) if channels else None

    def lead(self, phrases: Phrases) -> torch.Tensor:
        """Return the vectors of phrases that lead, (n, d): of a vocal, or of one stem."""
        return torch.cat([w * v for w, v in zip(self.weights, vectors_of(phrases), strict=True)], 1)

    def backing(self, phrases: Phrases) -> torch.Tensor:
        """Return the vectors of phrases of what a lead is heard with, (m, d)."""
        return torch.cat(vectors_of(phrases), 1)

    def correction(self, lead: Phrases, backing: Phrases) -> torch.Tensor:
        """Return what hearing both at once adds to the scores of n pairs, (n,)."""
        if self.joint is None:
            return torch.zeros(len(lead), device=lead.level.device)
        return self.joint(lead, backing)
