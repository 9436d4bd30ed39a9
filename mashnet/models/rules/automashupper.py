"""AutoMashUpper's mashability: could two parts fit, if one were shifted in key and by beats?

Davies, Hamel, Yoshii and Goto, IEEE/ACM TASLP 22(12), 2014, section III. Query and candidate are
each heard as a whole, beat by beat, and compared over all key shifts and all beat offsets with
enough overlap:

* harmonic: correlation of beat-synchronous chroma;
* rhythmic: correlation of beat-synchronous onset strengths, four moments a beat in three bands;
* spectral: how evenly the power of both, at one level, spreads over the three bands (flatness).

The score is their weighted mean at the best shift and offset. Where one side has no pitch there
is no harmonic term. The correlations at all shifts and offsets of a pair come from one FFT.

Beats are those that the parts know; of strangers' files they are tracked in the sum of a side.
Tempo and key need not be the same: parts can be judged as they lie, before anything is moved.
`place` says where a phrase would be laid, bar on bar.

What differs from the paper: a score is of all that was handed in as one phrase (`place` tries
phrases), tempi need not be near each other, and chroma is of spectral peaks
(`mashnet.models.rules.beat_encoding`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from mashnet.data.parts import Group
from mashnet.models.by_embeddings import SymmetricScores
from mashnet.models.rules.beat_correlations import Correlations
from mashnet.models.rules.beat_encoding import FEATURES, ONSETS, PITCHED, beats_of
from mashnet.models.rules.phrase_placement import (
    BarSounds,
    bar_sounds,
    best_place,
    known_bars,
    level_between,
)
from mashnet.models.submix import EncodingCache
from mashnet.music.keys import fold_semitones
from mashnet.music.placement import Placement
from mashnet.music.tunings import Shift, cents_to_fit, shift_with

WEIGHTS = {"harmonic": 1.0, "rhythmic": 0.2, "spectral": 0.2}  # the paper's
MIN_OVERLAP = 0.5  # of the shorter side, at the offsets that count


@dataclass(frozen=True)
class Fit:
    """The best way to put two groups together, and how good it is."""

    score: float
    harmonic: float  # in [-1, 1]; NaN where a group has no pitch
    rhythmic: float  # in [-1, 1]
    spectral: float  # in [0, 1]
    semitones: int  # shift of the second group, -5 … 6
    beats: int  # the second group's beat that meets the first's beat 0; negative: before it begins


class AutomashupperScorer(SymmetricScores):
    """The rule as an EmbeddingScorer; an embedding is (beats, 29).

    Attributes:
        judges_unmoved: it may be asked about parts as they lie, whatever their key and tempo.
        finds_keys: it looks for the shift in key by ear, whatever keys its parts know.
    """

    name = "automashupper"
    judges_unmoved = True
    finds_keys = True

    def __init__(
        self,
        *,
        weights: Mapping[str, float] | None = None,
        most_semitones: int = 6,
        phrase_bars: int = 8,
    ) -> None:
        """Fix the rule.

        Args:
            weights: of the terms of `WEIGHTS`; None takes those.
            most_semitones: the largest key shift that is tried; 0 tries none.
            phrase_bars: how long the phrases are that are placed.

        Raises:
            ValueError: if a term is unknown or negative, the shift out of 0…6, or there are no
                bars.
        """
        given = dict(WEIGHTS if weights is None else weights)
        if set(given) != set(WEIGHTS) or min(given.values()) < 0 or sum(given.values()) <= 0:
            raise ValueError(f"weights must be positive numbers for {', '.join(WEIGHTS)}")
        if not 0 <= most_semitones <= 6:
            raise ValueError(f"most_semitones={most_semitones} must be 0 to 6")
        if phrase_bars < 1:
            raise ValueError(f"phrase_bars={phrase_bars} must be at least 1")
        self.weights = given
        self.phrase_bars = phrase_bars
        # Row k of a correlation: the second part is k semitones above, so it goes down by k.
        self.shifts = torch.tensor([fold_semitones(-k) for k in range(12)])
        self.allowed = self.shifts.abs() <= most_semitones
        self._encoded = EncodingCache(beats_of)
        self._bars: dict[float, EncodingCache[BarSounds]] = {}

    def embed_query(self, queries: Sequence[Group]) -> torch.Tensor:
        """Return embeddings, shape (n, beats, 29); what is missing is zero."""
        encodings = [self._encoded(group) for group in queries]
        beats = max(len(encoding) for encoding in encodings)
        out = torch.zeros(len(queries), beats, FEATURES)
        for row, encoding in zip(out, encodings, strict=True):
            row[: len(encoding)] = encoding
        return out

    def similarity(self, queries: torch.Tensor, candidates: torch.Tensor) -> torch.Tensor:
        """Return the scores of all pairs, shape (n, m); 0 where one has no beat."""
        scores = [self._best(row, candidates)[0] for row in queries]
        return torch.stack(scores).nan_to_num(0.0)

    def best_fit(self, query: Group, candidate: Group) -> Fit:
        """Return how to put two groups together."""
        first, second = self._encoded(query), self._encoded(candidate)
        score, terms, semitones, beats = self._best(first, second[None])
        harmonic, rhythmic, spectral = (float(term[0]) for term in terms)
        return Fit(
            float(score[0].nan_to_num(0.0)),
            harmonic,
            rhythmic,
            spectral,
            int(semitones[0]),
            int(beats[0]),
        )

    def place(self, query: Group, candidate: Group) -> Placement:
        """Return where a phrase of the candidate, the guest, fits the query, the base, best.

        All phrases of whole bars are tried on all bars, at all shifts in key. A phrase has
        `phrase_bars`, or as many as both sides have in a row.

        Raises:
            ConfigError: if the parts of a group do not know their bars.
        """
        (base, _), (guest, _) = known_bars(query), known_bars(candidate)
        tempo = level_between(query, candidate)
        found = best_place(
            self._bar_sounds(query, 1.0),
            self._bar_sounds(candidate, tempo.level),
            phrase_bars=self.phrase_bars,
            weights=self.weights,
            allowed=self.allowed,
        )
        shift = Shift(0, 0.0)
        if found.down is not None:
            semitones = fold_semitones(-found.down)
            shift = shift_with(semitones, cents_to_fit(guest.tuning, base.tuning))
        return Placement(
            guest_bar=found.guest_bar,
            base_bar=found.base_bar,
            bars=found.bars,
            semitones=shift.semitones,
            cents=shift.cents,
            tempo_level=tempo.level,
            tempo_ratio=tempo.ratio,
            score=found.score,
        )

    def _bar_sounds(self, group: Group, level: float) -> BarSounds:
        if level not in self._bars:
            self._bars[level] = EncodingCache(lambda heard: bar_sounds(heard, level))
        return self._bars[level](group)

    def _best(
        self, first: torch.Tensor, seconds: torch.Tensor
    ) -> tuple[torch.Tensor, list[torch.Tensor], torch.Tensor, torch.Tensor]:
        """Compare (beats, 29) with (m, beats, 29) at all shifts and offsets.

        Returns:
            Best scores, (m,), NaN where one has no beat; the three terms there, (m,) each, the
            first NaN where one has no pitch; the shift in semitones and the offset in beats, (m,)
            each.
        """
        correlations = Correlations(first, seconds)
        overlap = correlations.overlap
        enough = (overlap > 0.5) & (overlap >= MIN_OVERLAP * correlations.shorter[:, None])
        harmonic = correlations.normalised_chroma()
        rhythmic = correlations.normalised(ONSETS)
        spectral = correlations.flatness()
        pitched = (first[:, PITCHED].any() & seconds[..., PITCHED].any(1).squeeze(-1))[
            :, None, None
        ]
        weight = self.weights["rhythmic"] + self.weights["spectral"]
        score = self.weights["rhythmic"] * rhythmic + self.weights["spectral"] * spectral
        score = torch.where(
            pitched,
            (score[:, None] + self.weights["harmonic"] * harmonic)
            / (weight + self.weights["harmonic"]),
            score[:, None] / max(weight, 1e-12),
        )
        tried = torch.where(pitched[..., 0], self.allowed, self.shifts == 0)
        score = score.masked_fill(~(enough[:, None] & tried[..., None]), -torch.inf)
        best, where = score.flatten(1).max(dim=1)
        row, column = where // score.shape[-1], where % score.shape[-1]
        each = torch.arange(len(seconds))
        there = harmonic[each, row, column].masked_fill(~pitched[:, 0, 0], torch.nan)
        return (
            best.masked_fill(best.isinf(), torch.nan),
            [there, rhythmic[each, column], spectral[each, column]],
            self.shifts[row],
            torch.where(column >= seconds.shape[1], column - correlations.length, column),
        )
