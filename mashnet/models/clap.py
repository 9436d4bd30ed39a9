"""CLAP as a judge of fit: the cosine of two sounds' embeddings (Wu et al., ICASSP 2023).

It was trained to match music with descriptions, so it hears whether two sounds are alike rather
than whether they fit. The published comparison (AutoMashup) used the first 10 s of a song only;
here windows of 10 s cover the whole input, silent ones left out, and their embeddings are averaged.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional

from mashnet.data.parts import Group
from mashnet.data.stem_frontend import StemFrontend
from mashnet.models.pretrained import load_pretrained
from mashnet.models.submix import EncodingCache
from mashnet.models.text import CLAP_MUSIC

WINDOW_S = 10.0  # what CLAP was trained on; longer input would be cropped at random


class ClapScorer:
    """An EmbeddingScorer with the sound tower of CLAP; scores lie in [-1, 1]."""

    name = "clap"

    def __init__(self, *, weights: str = CLAP_MUSIC) -> None:
        """Load the sound tower.

        Args:
            weights: a local folder with the model and its feature extractor, or an id of the
                Hugging Face hub; the default is LAION's music checkpoint.

        Raises:
            ConfigError: if the weights cannot be had.
        """
        self._prepare, self._network = load_pretrained(
            weights,
            network="ClapAudioModelWithProjection",
            processor="ClapFeatureExtractor",
            called="CLAP",
            setting="scorer.weights",
        )
        rate = int(self._prepare.sampling_rate)
        self.frontend = StemFrontend(sample_rate=rate, window_s=WINDOW_S)
        self._encoded: EncodingCache[torch.Tensor] = EncodingCache(self._encode)

    def score(self, query: Group, candidates: Sequence[Group]) -> torch.Tensor:
        """Return one number per candidate, (candidates,); silence scores 0."""
        if not candidates:
            return torch.zeros(0)
        return self.similarity(self.embed_query([query]), self.embed_candidate(candidates))[0]

    def embed_query(self, queries: Sequence[Group]) -> torch.Tensor:
        """Return vectors of unit length, (n, d)."""
        return torch.stack([self._encoded(query) for query in queries])

    def embed_candidate(self, candidates: Sequence[Group]) -> torch.Tensor:
        """Return vectors, (m, d), as of queries: the cosine is symmetric."""
        return self.embed_query(candidates)

    def similarity(self, queries: torch.Tensor, candidates: torch.Tensor) -> torch.Tensor:
        """Return the scores of all pairs, (n, m)."""
        return queries @ candidates.T

    @torch.inference_mode()
    def _encode(self, group: Group) -> torch.Tensor:
        waves, weights = self.frontend.windows_of(group)
        total = torch.zeros(int(self._network.config.projection_dim))
        # One window at a time: what else is in a batch must not matter, and windows are few.
        for wave, weight in zip(waves, weights.tolist(), strict=True):
            if weight > 0:
                heard = wave[: round(weight * len(wave))].numpy()
                inputs = self._prepare(
                    heard, sampling_rate=self.frontend.sample_rate, return_tensors="pt"
                )
                found = self._network(**inputs).audio_embeds[0]
                total += weight * functional.normalize(found, dim=0)
        return functional.normalize(total, dim=0)
