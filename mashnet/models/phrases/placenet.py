"""PlaceNet: judges phrases before they are moved, and so where they could be laid.

A phrase is a vector that keeps its place in bars; tempo and key are gone before it is made
(mashnet.audio.beat_features). A pair's score is a product of vectors, so that a library is searched
by one matrix product, over all bars and all keys. A joint head, which hears both phrases, corrects
the scores of the best. Scores are logits: their differences say how much likelier one is.

Nobody has published such a network. Huang et al. (AAAI 2021) name it as what their system lacks:
"an embedding invariant to key and tempo".
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from mashnet.audio.beat_features import BANDS, MOMENTS, PITCH_MOMENTS
from mashnet.data.phrases.phrase import Phrases
from mashnet.models.phrases.joint import JointHead
from mashnet.models.phrases.network import PhraseNetwork
from mashnet.models.phrases.scoring import PhraseScorer
from mashnet.models.phrases.terms import START, vectors_of

COMMON_LEFT_OUT = 0.5  # of the mean of training leads
BEATS_PER_BAR = 4  # of the phrases whose mean is known


class PlaceNet(PhraseNetwork):
    """Terms of two phrases, weighed, without what leads have in common; a joint head on request."""

    def __init__(
        self, *, channels: int = 0, dropout: float = 0.5, lengths: Sequence[int] = (4, 8)
    ) -> None:
        """Set the sizes.

        Args:
            channels: of the joint head's hidden layers; 0 leaves it out.
            dropout: share of its hidden numbers dropped in training.
            lengths: in bars, of phrases whose leads' common part is learned.
        """
        super().__init__()
        self.weights = nn.Parameter(torch.tensor(list(START.values())))
        self.joint = JointHead(channels, dropout) if channels else None
        self.lengths = tuple(lengths)
        for bars in self.lengths:
            self.register_buffer(f"common_{bars}", torch.zeros(_dimensions(bars)))

    def lead(self, phrases: Phrases) -> torch.Tensor:
        """Return the vectors of phrases that lead, (n, d).

        What leads have in common on the whole says nothing about any of them: half of it is left
        out. In a product that is a number per backing, so that no backing fits everything.
        """
        return self.weighed(vectors_of(phrases), phrases)

    def weighed(self, vectors: list[torch.Tensor], phrases: Phrases) -> torch.Tensor:
        """Return what `lead` does, of phrases whose terms are known, (n, d)."""
        weights = [w.expand(v.shape[1]) for w, v in zip(self.weights, vectors, strict=True)]
        together = torch.cat(vectors, 1)
        if (common := self.common(phrases)) is not None:
            together = together - COMMON_LEFT_OUT * common
        return together * torch.cat(weights)

    def common(self, phrases: Phrases) -> torch.Tensor | None:
        """Return the mean of training leads as long as some phrases, (d,); None of others."""
        if phrases.bars not in self.lengths or phrases.beats_per_bar != BEATS_PER_BAR:
            return None
        common: torch.Tensor = getattr(self, f"common_{phrases.bars}")
        return common

    def backing(self, phrases: Phrases) -> torch.Tensor:
        """Return the vectors of phrases of what a lead is heard with, (m, d)."""
        return torch.cat(vectors_of(phrases), 1)

    def correction(self, lead: Phrases, backing: Phrases) -> torch.Tensor:
        """Return what hearing both at once adds to the scores of n pairs, (n,)."""
        if self.joint is None:
            return torch.zeros(len(lead), device=lead.level.device)
        return self.joint(lead, backing)


def _dimensions(bars: int) -> int:
    """Return how long the vectors of phrases are, of so many bars of four beats."""
    beats = BEATS_PER_BAR * bars
    with torch.device("cpu"):  # also where a network is only laid out, on "meta"
        silence = Phrases(
            torch.zeros(1, beats, MOMENTS, BANDS),
            torch.zeros(1, PITCH_MOMENTS * beats, 12),
            torch.zeros(1, beats),
            bars,
        )
        return sum(vector.shape[1] for vector in vectors_of(silence))


class PlaceNetScorer(PhraseScorer):
    """PlaceNet as a Scorer that judges parts as they lie; logits, higher fits better."""

    network_class = PlaceNet
