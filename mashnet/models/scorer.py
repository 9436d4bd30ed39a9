"""What every model looks like to those who ask it; mashnet.scoring hands these names on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch

from mashnet.data.parts import Group


@runtime_checkable
class Scorer(Protocol):
    """Anything that judges fit. Deterministic, independent of what else is in the batch.

    One that has `judges_unmoved = True` may be asked about parts as they lie, in different keys and
    tempi; all others are asked about parts that were moved to where they would sound. Of these
    some believe the keys that parts know as far as `most_semitones` says, which may be set (0:
    believed; 6: all keys are tried); one with `finds_keys = True` tries all, whatever is known.
    """

    name: str

    def score(self, query: Group, candidates: Sequence[Group]) -> torch.Tensor:
        """Return one number per candidate, shape (candidates,); higher fits better.

        Query and candidates together bring the roles of a mix: `{"vocal": v}` against
        `[{"harmonic": h, "percussion": p}, ...]`. A role may stand on either side.
        """


@runtime_checkable
class EmbeddingScorer(Scorer, Protocol):
    """A Scorer whose n × m scores cost n + m encodings."""

    def embed_query(self, queries: Sequence[Group]) -> torch.Tensor:
        """Return embeddings, shape (n, ...)."""

    def embed_candidate(self, candidates: Sequence[Group]) -> torch.Tensor:
        """Return embeddings, shape (m, ...)."""

    def similarity(self, queries: torch.Tensor, candidates: torch.Tensor) -> torch.Tensor:
        """Return the scores of all pairs, shape (n, m)."""
