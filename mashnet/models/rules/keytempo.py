"""Key distance and tempo ratio, estimated from the sound: what a careful DJ checks first.

For each side of a mix the key is the best of 24 templates (Krumhansl and Kessler's profiles)
against the mean chroma of its pitched roles, and the tempo the strongest period of its onsets.

    score = (1 − d / 6) / 2 + (1 − 2 |r|) / 2

where d is the distance on the circle of fifths between the two keys' relative majors (0…6; keys a
fifth apart share six of seven notes) and r = log2 of the tempo ratio, folded to [−½, ½] so that
half and double tempo count as equal. A term one side cannot decide (nothing pitched, silence)
counts one half. The score lies in [0, 1]; it is not a probability.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from mashnet.audio.descriptors import (
    LAGS_S,
    ONSET_RATE,
    SAMPLE_RATE,
    chromagram,
    onset_autocorrelation,
    onset_strength,
)
from mashnet.data.parts import Group
from mashnet.models.by_embeddings import SymmetricScores
from mashnet.models.submix import EncodingCache, sides
from mashnet.music.keys import Key

# How well each pitch class fits a key on C (Krumhansl & Kessler, Psychological Review 89, 1982).
_PROFILES = {
    "major": (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
    "minor": (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
}
_PREFERRED_BPM = 120.0
_PREFERENCE_OCTAVES = 1.0  # standard deviation around it


def estimate_key(chroma: np.ndarray) -> Key | None:
    """Return the key whose profile correlates best with a mean chroma, shape (12,).

    None where the chroma is flat (silence, noise without any preference).
    """
    if float(np.ptp(chroma)) <= 1e-6 * max(float(chroma.max()), 1e-6):
        return None
    keys = [Key(tonic, mode) for mode in _PROFILES for tonic in range(12)]
    fits = [np.corrcoef(chroma, np.roll(_PROFILES[k.mode], k.tonic))[0, 1] for k in keys]
    return keys[int(np.argmax(fits))]


def estimate_tempo_bpm(onsets: torch.Tensor) -> float | None:
    """Return the tempo of onset strengths, shape (frames,), 50 per second; None without onsets.

    The strongest lag of the autocorrelation between 0.2 and 2.5 s, each weighed by a log-normal
    preference for 120 bpm, refined by a parabola through its neighbours.
    """
    centred = onsets - onsets.mean()
    correlation = onset_autocorrelation(centred).double().numpy()
    lags_s = round(LAGS_S[0] * ONSET_RATE) / ONSET_RATE + np.arange(len(correlation)) / ONSET_RATE
    octaves = np.log2(60 / lags_s / _PREFERRED_BPM)
    strength = correlation * np.exp(-0.5 * (octaves / _PREFERENCE_OCTAVES) ** 2)
    peak = int(np.argmax(strength))
    if strength[peak] <= 1e-9:
        return None
    lag_s = lags_s[peak]
    if 0 < peak < len(strength) - 1:
        before, at, after = strength[peak - 1 : peak + 2]
        if (bend := before - 2 * at + after) < 0:
            lag_s += 0.5 * (before - after) / bend / ONSET_RATE
    return float(60 / lag_s)


def fifths_between(first: Key, second: Key) -> int:
    """Return the steps on the circle of fifths between two keys' relative majors, 0…6."""
    steps = (second.relative_major_tonic - first.relative_major_tonic) * 7 % 12
    return min(steps, 12 - steps)


class KeytempoScorer(SymmetricScores):
    """Compares key and tempo as an EmbeddingScorer. An embedding is (fifths, octaves of tempo).

    Shape (n, 2): position on the circle of fifths 0…11, and log2 of the tempo in bpm; NaN where
    it cannot be told.
    """

    name = "keytempo"

    def __init__(self) -> None:
        """Nothing to choose: the formula is fixed."""
        self._encoded = EncodingCache(_encode)

    def embed_query(self, queries: Sequence[Group]) -> torch.Tensor:
        """Return embeddings, shape (n, 2)."""
        return torch.stack([self._encoded(group) for group in queries])

    def similarity(self, queries: torch.Tensor, candidates: torch.Tensor) -> torch.Tensor:
        """Return the scores of all pairs, shape (n, m)."""
        apart = candidates[None] - queries[:, None]
        steps = apart[..., 0] % 12
        key = 1 - torch.minimum(steps, 12 - steps) / 6
        octaves = apart[..., 1] - apart[..., 1].round()
        tempo = 1 - 2 * octaves.abs()
        return (key.nan_to_num(0.5) + tempo.nan_to_num(0.5)) / 2


def _encode(group: Group) -> torch.Tensor:
    everything, pitched = sides(group, SAMPLE_RATE)
    if not len(everything):
        return torch.full((2,), torch.nan)
    key = estimate_key(chromagram(pitched).mean(dim=1).numpy())
    tempo_bpm = estimate_tempo_bpm(onset_strength(everything))
    return torch.tensor(
        [
            torch.nan if key is None else key.relative_major_tonic * 7 % 12,
            torch.nan if tempo_bpm is None else np.log2(tempo_bpm),
        ],
        dtype=torch.float32,
    )
