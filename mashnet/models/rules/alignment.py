"""The rule that learned models have to beat: onsets that coincide, metres and pitches that match.

Four terms, each an inner product of unit vectors of the two sides of a mix:

* onset strengths at lag zero: do things happen at the same moments?
* autocorrelations of the onset strengths at lags of 0.2–2.5 s: the same tempo and metre?
* mean pitch classes: the same notes on the whole?
* pitch classes frame by frame: the same harmony at the same time?

They are weighed 12 : 12 : 4.5 : 4.5. The weights were fixed once, from how far apart the terms of
fitting and of random submixes lie, and are not fitted to any database. The score is a weighted
mean of cosines, so it lies in [-1, 1]. It is a rule of thumb, not a probability.

Both sides are cut into windows on a common grid; windows in which either side is silent say
nothing and are left out, the others are averaged, each by the share of it that exists. Pitch
classes are those of the pitched roles; a side with percussion only contributes 0 there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch

from mashnet.audio.descriptors import (
    CHROMA_HOP,
    CHROMA_RATE,
    LAGS_S,
    ONSET_HOP,
    ONSET_RATE,
    SAMPLE_RATE,
    chromagram,
    onset_autocorrelation,
    onset_strength,
)
from mashnet.data.parts import Group
from mashnet.models.by_embeddings import SymmetricScores
from mashnet.models.submix import EncodingCache, sides

WEIGHTS = {"onset": 12.0, "autocorrelation": 12.0, "mean_chroma": 4.5, "chroma": 4.5}

_SILENCE_RMS = 1e-3  # −60 dB of full scale


class AlignmentScorer(SymmetricScores):
    """The fixed rule as an EmbeddingScorer: all pairs of scores are one matrix product.

    An embedding holds, for each window, a flag (0 for silence, else the root of the window's
    share that exists) followed by the four vectors, scaled by that flag and by the roots of the
    weights. Shape (windows, 1 + features).
    """

    name = "alignment"

    def __init__(
        self, *, window_s: float = 10.0, weights: Mapping[str, float] | None = None
    ) -> None:
        """Fix the rule.

        Args:
            window_s: length of the windows in seconds; longer than the longest lag, 2.5 s.
            weights: of the terms of `WEIGHTS`; None takes those.

        Raises:
            ValueError: if a window is too short, or a term unknown or negative.
        """
        if window_s <= LAGS_S[1]:
            raise ValueError(f"window_s={window_s} must be longer than {LAGS_S[1]} s")
        given = dict(WEIGHTS if weights is None else weights)
        if set(given) != set(WEIGHTS) or min(given.values()) < 0 or sum(given.values()) <= 0:
            raise ValueError(f"weights must be positive numbers for {', '.join(WEIGHTS)}")
        self.window_s = window_s
        self.weights = {term: given[term] / sum(given.values()) for term in WEIGHTS}
        self._encoded = EncodingCache(self._encode)

    def embed_query(self, queries: Sequence[Group]) -> torch.Tensor:
        """Return embeddings, shape (n, windows, 1 + features); short ones end in zeros."""
        encodings = [self._encoded(group) for group in queries]
        return torch.nn.utils.rnn.pad_sequence(encodings, batch_first=True)

    def similarity(self, queries: torch.Tensor, candidates: torch.Tensor) -> torch.Tensor:
        """Return the scores of all pairs, shape (n, m); windows that only one side has drop out."""
        windows = min(queries.shape[1], candidates.shape[1])
        queries, candidates = queries[:, :windows], candidates[:, :windows]
        products = queries[:, :, 1:].flatten(1) @ candidates[:, :, 1:].flatten(1).T
        evidence = queries[:, :, 0] @ candidates[:, :, 0].T
        return torch.where(evidence > 0, products / evidence.clamp_min(1e-12), 0.0)

    def _encode(self, group: Group) -> torch.Tensor:
        """Return a group's windows, shape (windows, 1 + features), at least one."""
        everything, pitched = sides(group, SAMPLE_RATE)
        length = len(everything)
        window = round(self.window_s * SAMPLE_RATE)
        if not length:
            return torch.zeros(1, 1 + self._num_features)
        onsets, chroma = onset_strength(everything), chromagram(pitched)
        samples = torch.from_numpy(everything)
        return torch.stack(
            [
                self._window(
                    samples[start : start + window],
                    onsets[start // ONSET_HOP :],
                    chroma[:, start // CHROMA_HOP :],
                    min(1.0, (length - start) / window),
                )
                for start in range(0, length, window)
            ]
        )

    def _window(
        self, samples: torch.Tensor, onsets: torch.Tensor, chroma: torch.Tensor, share: float
    ) -> torch.Tensor:
        if samples.square().mean().sqrt() < _SILENCE_RMS:
            return torch.zeros(1 + self._num_features)
        onsets = onsets[: self._num_onsets]
        onsets = onsets - onsets.mean()
        mean_chroma = chroma[:, : self._num_chroma].mean(dim=1)
        chroma = chroma[:, : self._num_chroma]
        terms = {
            "onset": _padded(onsets, self._num_onsets),
            "autocorrelation": onset_autocorrelation(onsets),
            "mean_chroma": mean_chroma - mean_chroma.mean(),
            "chroma": _padded(chroma - chroma.mean(dim=0), self._num_chroma).flatten(),
        }
        flag = math.sqrt(share)
        scaled = [math.sqrt(self.weights[t]) * flag * _unit(v) for t, v in terms.items()]
        return torch.cat([torch.tensor([flag]), *scaled])

    @property
    def _num_onsets(self) -> int:
        return round(self.window_s * ONSET_RATE)

    @property
    def _num_chroma(self) -> int:
        return round(self.window_s * CHROMA_RATE)

    @property
    def _num_features(self) -> int:
        lags = round(LAGS_S[1] * ONSET_RATE) - round(LAGS_S[0] * ONSET_RATE) + 1
        return self._num_onsets + lags + 12 + 12 * self._num_chroma


def _unit(vector: torch.Tensor) -> torch.Tensor:
    """Scale to length one; what is silent stays zero."""
    length = vector.norm()
    return vector / length if length > 1e-9 else torch.zeros_like(vector)


def _padded(frames: torch.Tensor, count: int) -> torch.Tensor:
    return torch.nn.functional.pad(frames, (0, count - frames.shape[-1]))
