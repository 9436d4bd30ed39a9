"""AutoMashUpper's mashability: could two parts fit, if one were shifted in key and by beats?

Davies, Hamel, Yoshii and Goto, IEEE/ACM TASLP 22(12), 2014, section III. For each pair of parts,
over all key shifts and all beat offsets with enough overlap:

* harmonic: correlation of beat-synchronous chroma (each beat's mean taken out);
* rhythmic: correlation of beat-synchronous onset strengths, four moments a beat in three bands;
* spectral: how evenly the power of both, at one level, spreads over the three bands (flatness).

The score of a pair is their weighted mean at its best shift and offset; that of a group is the
mean over its pairs. Percussion has no pitch: its pairs have no harmonic term. The correlations at
all shifts and offsets of a pair come from one FFT.

What differs from the paper: tempo is left as it is (`rank` moves it before), a phrase is a whole
part, and beats are tracked in each part by itself, unless the part knows them (loops do).
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from mashnet.audio.compiling import compiling_alone
from mashnet.audio.descriptors import (
    CHROMA_RATE,
    ONSET_HOP,
    ONSET_RATE,
    SAMPLE_RATE,
    chromagram,
    onsets_and_power_in_bands,
)
from mashnet.data.parts import Group
from mashnet.data.roles import ROLES
from mashnet.models.submix import PITCHED_ROLES, EncodingCache
from mashnet.music.keys import fold_semitones

WEIGHTS = {"harmonic": 1.0, "rhythmic": 0.2, "spectral": 0.2}  # the paper's
MOMENTS = 4  # of a beat at which onsets are read
BANDS = 3
MIN_OVERLAP = 0.5  # of the shorter part, at the offsets that count

# What an embedding holds for each beat of a role: whether there is one, then the three vectors.
_THERE, _CHROMA = slice(0, 1), slice(1, 13)
_ONSETS = slice(13, 13 + BANDS * MOMENTS)
_POWER = slice(13 + BANDS * MOMENTS, 13 + BANDS * MOMENTS + BANDS)
_FEATURES = _POWER.stop


@dataclass(frozen=True)
class Fit:
    """The best way to put two parts together, and how good it is."""

    score: float
    harmonic: float  # in [-1, 1]; NaN where a part has no pitch
    rhythmic: float  # in [-1, 1]
    spectral: float  # in [0, 1]
    semitones: int  # shift of the second part, -5 … 6
    beats: int  # the second part's beat that meets the first's beat 0; negative: before it begins


class AutomashupperScorer:
    """The rule as an EmbeddingScorer; an embedding is (roles, beats, 28)."""

    name = "automashupper"

    def __init__(
        self, *, weights: Mapping[str, float] | None = None, most_semitones: int = 6
    ) -> None:
        """Fix the rule.

        Args:
            weights: of the terms of `WEIGHTS`; None takes those.
            most_semitones: the largest key shift that is tried; 0 tries none.

        Raises:
            ValueError: if a term is unknown or negative, or the shift out of 0…6.
        """
        given = dict(WEIGHTS if weights is None else weights)
        if set(given) != set(WEIGHTS) or min(given.values()) < 0 or sum(given.values()) <= 0:
            raise ValueError(f"weights must be positive numbers for {', '.join(WEIGHTS)}")
        if not 0 <= most_semitones <= 6:
            raise ValueError(f"most_semitones={most_semitones} must be 0 to 6")
        self.weights = given
        # Row k of a correlation: the second part is k semitones above, so it goes down by k.
        self.shifts = torch.tensor([fold_semitones(-k) for k in range(12)])
        self.allowed = self.shifts.abs() <= most_semitones
        self._encoded = EncodingCache(_encode)

    def score(self, query: Group, candidates: Sequence[Group]) -> torch.Tensor:
        """Return one number in [-1, 1] per candidate, shape (candidates,)."""
        if not candidates:
            return torch.zeros(0)
        return self.similarity(self.embed_query([query]), self.embed_candidate(candidates))[0]

    def embed_query(self, queries: Sequence[Group]) -> torch.Tensor:
        """Return embeddings, shape (n, roles, beats, 28); what is missing is zero."""
        encodings = [
            [self._encoded({r: group[r]}) if r in group else _nothing() for r in ROLES]
            for group in queries
        ]
        beats = max(len(part) for parts in encodings for part in parts)
        out = torch.zeros(len(queries), len(ROLES), beats, _FEATURES)
        for row, parts in zip(out, encodings, strict=True):
            for place, part in zip(row, parts, strict=True):
                place[: len(part)] = part
        return out

    def embed_candidate(self, candidates: Sequence[Group]) -> torch.Tensor:
        """Return embeddings as `embed_query` does: the rule is symmetric."""
        return self.embed_query(candidates)

    def similarity(self, queries: torch.Tensor, candidates: torch.Tensor) -> torch.Tensor:
        """Return the scores of all pairs, shape (n, m).

        A pair of roles that one side brings alone is compared once per side, the rest once per
        pair. A pair of parts of which one has no beat is left out of the mean.
        """
        total = torch.zeros(len(queries), len(candidates))
        count = torch.zeros(len(queries), len(candidates))
        for one, other in itertools.combinations(range(len(ROLES)), 2):
            harmonic = {ROLES[one], ROLES[other]} <= set(PITCHED_ROLES)
            for side in (queries, candidates):
                if not _present(side, one) or not _present(side, other):
                    continue
                own = torch.stack(
                    [self._best(row[one], row[other][None], harmonic)[0].squeeze(0) for row in side]
                )
                _add(total, count, own[:, None] if side is queries else own[None])
            for first, second in ((one, other), (other, one)):
                if not _present(queries, first) or not _present(candidates, second):
                    continue
                across = [
                    self._best(row[first], candidates[:, second], harmonic)[0] for row in queries
                ]
                _add(total, count, torch.stack(across))
        for role, name in enumerate(ROLES):  # two loops may both be drums
            if _present(queries, role) and _present(candidates, role):
                harmonic = name in PITCHED_ROLES
                pairs = [self._best(row[role], candidates[:, role], harmonic)[0] for row in queries]
                _add(total, count, torch.stack(pairs))
        return torch.where(count > 0, total / count.clamp_min(1), 0.0)

    def best_fit(self, query: Group, candidate: Group) -> Fit:
        """Return how to put two groups of one role each together.

        Raises:
            ValueError: if a group has more than one role.
        """
        if len(query) != 1 or len(candidate) != 1:
            raise ValueError("best_fit takes groups of one role each")
        first, second = self._encoded(query), self._encoded(candidate)
        harmonic = {*query, *candidate} <= set(PITCHED_ROLES)
        score, terms, semitones, beats = self._best(first, second[None], harmonic)
        values = [float(term[0]) for term in terms]
        return Fit(
            float(score[0].nan_to_num(0.0)),
            values[0] if harmonic else float("nan"),
            values[1],
            values[2],
            int(semitones[0]),
            int(beats[0]),
        )

    def _best(
        self, first: torch.Tensor, seconds: torch.Tensor, harmonic: bool
    ) -> tuple[torch.Tensor, list[torch.Tensor], torch.Tensor, torch.Tensor]:
        """Compare (beats, 28) with (m, beats, 28) at all shifts and offsets.

        Returns:
            Best scores, (m,), NaN where a part has no beat; the three terms there, (m,) each;
            the shift in semitones and the offset in beats, (m,) each.
        """
        correlations = _Correlations(first, seconds)
        overlap = correlations.of(_THERE).round()  # a number of beats; an FFT is off by a hair
        shorter = torch.minimum(first[:, 0].sum(), seconds[..., 0].sum(-1))
        enough = (overlap > 0.5) & (overlap >= MIN_OVERLAP * shorter[:, None])
        rhythmic = correlations.normalised(_ONSETS)
        spectral = correlations.flatness()
        terms = [self.weights["rhythmic"] * rhythmic + self.weights["spectral"] * spectral]
        weight = self.weights["rhythmic"] + self.weights["spectral"]
        if harmonic:
            pitches = correlations.normalised_chroma()
            terms.append(self.weights["harmonic"] * pitches)
            weight += self.weights["harmonic"]
        else:
            pitches = torch.zeros(1, 12, 1)
        score = (terms[0][:, None] + (terms[1] if harmonic else 0.0)).expand(-1, 12, -1) / max(
            weight, 1e-12
        )
        tried = self.allowed if harmonic else self.shifts == 0
        score = score.masked_fill(~(enough[:, None] & tried[:, None]), -torch.inf)
        best, where = score.flatten(1).max(dim=1)
        length = score.shape[-1]
        row, column = where // length, where % length
        each = torch.arange(len(seconds))
        pitches = pitches.expand(len(seconds), 12, length)
        return (
            best.masked_fill(best.isinf(), torch.nan),
            [pitches[each, row, column], rhythmic[each, column], spectral[each, column]],
            self.shifts[row],
            torch.where(column >= seconds.shape[1], column - correlations.length, column),
        )


class _Correlations:
    """Sums over the beats that two parts share, at every offset: an FFT instead of a loop.

    Offset t lays beat j + t of the second part onto beat j of the first.
    """

    def __init__(self, first: torch.Tensor, seconds: torch.Tensor) -> None:
        self.length = 1 << (len(first) + seconds.shape[1] - 1).bit_length()
        self.first, self.seconds = first, seconds

    def _sum(self, first: torch.Tensor, seconds: torch.Tensor) -> torch.Tensor:
        """Correlate (beats, f) with (m, beats, f) and add over f: (m, length)."""
        one = torch.fft.rfft(first, n=self.length, dim=0)
        other = torch.fft.rfft(seconds, n=self.length, dim=1)
        return torch.fft.irfft((one.conj() * other).sum(-1), n=self.length, dim=1)

    def of(self, part: slice) -> torch.Tensor:
        return self._sum(self.first[:, part], self.seconds[..., part])

    def _energies(self, part: slice) -> torch.Tensor:
        there_first, there_seconds = self.first[:, _THERE], self.seconds[..., _THERE]
        one = self._sum(self.first[:, part].square().sum(-1, keepdim=True), there_seconds)
        other = self._sum(there_first, self.seconds[..., part].square().sum(-1, keepdim=True))
        return (one.clamp_min(0) * other.clamp_min(0)).sqrt()

    def normalised(self, part: slice) -> torch.Tensor:
        """Return the correlation coefficient at each offset, (m, length)."""
        return _ratio(self.of(part), self._energies(part))

    def normalised_chroma(self) -> torch.Tensor:
        """Return the correlation coefficient at each shift and offset, (m, 12, length)."""
        size = (self.length, 12)
        one = torch.fft.rfft2(self.first[:, _CHROMA], s=size)
        other = torch.fft.rfft2(self.seconds[..., _CHROMA], s=size)
        products = torch.fft.irfft2(one.conj() * other, s=size).transpose(-1, -2)
        return _ratio(products, self._energies(_CHROMA)[:, None])

    def flatness(self) -> torch.Tensor:
        """Return the flatness over the bands of what both have where they overlap, (m, length)."""
        power = torch.stack(
            [
                self._sum(self.first[:, [band]], self.seconds[..., _THERE])
                + self._sum(self.first[:, _THERE], self.seconds[..., [band]])
                for band in range(_POWER.start, _POWER.stop)
            ]
        ).clamp_min(1e-9)
        return power.log().mean(0).exp() / power.mean(0)


def _ratio(products: torch.Tensor, energies: torch.Tensor) -> torch.Tensor:
    # An FFT leaves rounding errors where there is nothing.
    return torch.where(energies > 1e-6, products / energies.clamp_min(1e-6), 0.0).clamp(-1, 1)


def _add(total: torch.Tensor, count: torch.Tensor, scores: torch.Tensor) -> None:
    total += scores.nan_to_num(0.0)
    count += (~scores.isnan()).float()


def _present(embeddings: torch.Tensor, role: int) -> bool:
    return bool(embeddings[:, role, :, 0].any())


def _nothing() -> torch.Tensor:
    return torch.zeros(1, _FEATURES)


@functools.cache
def _beat_tracker() -> Callable[..., tuple[Any, np.ndarray]]:
    """Return librosa's, which takes seconds to import; parts whose beats are known need none."""
    with compiling_alone():
        import librosa.beat
        import librosa.util.utils
    return librosa.beat.beat_track


def _encode(group: Group) -> torch.Tensor:
    """Return what each beat of a part sounds like, (beats, 28), at least one row."""
    (part,) = group.values()
    samples = part.waveform(SAMPLE_RATE)
    if not len(samples) or float(np.abs(samples).max()) < 1e-4:
        return _nothing()
    onsets, power = onsets_and_power_in_bands(samples)
    known = getattr(part, "beats_s", None)
    if known is None:
        _, frames = _beat_tracker()(
            onset_envelope=onsets.mean(0).numpy(), sr=SAMPLE_RATE, hop_length=ONSET_HOP, trim=False
        )
    else:
        frames = np.round(np.asarray(known) * ONSET_RATE).astype(int)
    if len(frames) < 2:
        return _nothing()
    chroma = chromagram(samples)
    rows = []
    for begin, end in itertools.pairwise(int(frame) for frame in frames):
        first = round(begin / ONSET_RATE * CHROMA_RATE)
        last = max(first + 1, round(end / ONSET_RATE * CHROMA_RATE))
        pitches = chroma[:, first:last].mean(dim=1)
        rows.append(
            torch.cat(
                [
                    torch.ones(1),
                    pitches - pitches.mean(),
                    _moments(onsets, begin, end).flatten(),
                    power[:, begin:end].mean(dim=1),
                ]
            )
        )
    beats = torch.stack(rows)
    beats[:, _CHROMA] = torch.nan_to_num(beats[:, _CHROMA])
    beats[:, _CHROMA] /= beats[:, _CHROMA].norm(dim=1).mean().clamp_min(1e-9)
    bands = beats[:, _ONSETS].unflatten(1, (BANDS, MOMENTS))
    beats[:, _ONSETS] = (bands - bands.mean(dim=(0, 2), keepdim=True)).flatten(1)
    beats[:, _POWER] /= beats[:, _POWER].sum(dim=1).mean().clamp_min(1e-12)
    return beats


def _moments(onsets: torch.Tensor, begin: int, end: int) -> torch.Tensor:
    """Return the strongest onset around each moment of a beat, (bands, MOMENTS)."""
    edges = np.round(begin + (np.arange(MOMENTS + 1) - 0.5) * (end - begin) / MOMENTS).astype(int)
    edges = np.clip(edges, 0, onsets.shape[1])
    return torch.stack(
        [
            onsets[:, a : max(b, a + 1)].amax(dim=1) if a < onsets.shape[1] else onsets[:, 0] * 0
            for a, b in itertools.pairwise(edges)
        ],
        dim=1,
    )
