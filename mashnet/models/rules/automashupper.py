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

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from mashnet.data.parts import Group
from mashnet.data.roles import STEM_ROLES
from mashnet.models.by_embeddings import SymmetricScores
from mashnet.models.rules.beat_correlations import Correlations
from mashnet.models.rules.beat_encoding import FEATURES, ONSETS, THERE, beats_of, no_beats
from mashnet.models.submix import PITCHED_ROLES, EncodingCache
from mashnet.music.keys import fold_semitones

WEIGHTS = {"harmonic": 1.0, "rhythmic": 0.2, "spectral": 0.2}  # the paper's
MIN_OVERLAP = 0.5  # of the shorter part, at the offsets that count


@dataclass(frozen=True)
class Fit:
    """The best way to put two parts together, and how good it is."""

    score: float
    harmonic: float  # in [-1, 1]; NaN where a part has no pitch
    rhythmic: float  # in [-1, 1]
    spectral: float  # in [0, 1]
    semitones: int  # shift of the second part, -5 … 6
    beats: int  # the second part's beat that meets the first's beat 0; negative: before it begins


class AutomashupperScorer(SymmetricScores):
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
        self._encoded = EncodingCache(beats_of)

    def embed_query(self, queries: Sequence[Group]) -> torch.Tensor:
        """Return embeddings, shape (n, roles, beats, 28); what is missing is zero."""
        encodings = [
            [self._encoded({r: group[r]}) if r in group else no_beats() for r in STEM_ROLES]
            for group in queries
        ]
        beats = max(len(part) for parts in encodings for part in parts)
        out = torch.zeros(len(queries), len(STEM_ROLES), beats, FEATURES)
        for row, parts in zip(out, encodings, strict=True):
            for place, part in zip(row, parts, strict=True):
                place[: len(part)] = part
        return out

    def similarity(self, queries: torch.Tensor, candidates: torch.Tensor) -> torch.Tensor:
        """Return the scores of all pairs, shape (n, m).

        A pair of roles that one side brings alone is compared once per side, the rest once per
        pair. A pair of parts of which one has no beat is left out of the mean.
        """
        total = torch.zeros(len(queries), len(candidates))
        count = torch.zeros(len(queries), len(candidates))
        for one, other in itertools.combinations(range(len(STEM_ROLES)), 2):
            harmonic = {STEM_ROLES[one], STEM_ROLES[other]} <= set(PITCHED_ROLES)
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
        for role, name in enumerate(STEM_ROLES):  # two loops may both be drums
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
        correlations = Correlations(first, seconds)
        overlap = correlations.of(THERE).round()  # a number of beats; an FFT is off by a hair
        shorter = torch.minimum(first[:, 0].sum(), seconds[..., 0].sum(-1))
        enough = (overlap > 0.5) & (overlap >= MIN_OVERLAP * shorter[:, None])
        rhythmic = correlations.normalised(ONSETS)
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


def _add(total: torch.Tensor, count: torch.Tensor, scores: torch.Tensor) -> None:
    total += scores.nan_to_num(0.0)
    count += (~scores.isnan()).float()


def _present(embeddings: torch.Tensor, role: int) -> bool:
    return bool(embeddings[:, role, :, 0].any())
