"""Scores of many pairs: n queries against m candidates from n + m encodings, or a list of pairs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from mashnet.data.parts import Group
from mashnet.models.scorer import EmbeddingScorer, Scorer
from mashnet.progress import Progress

_BLOCK = 256  # queries whose scores are made at once


def score_matrix(
    scorer: Scorer,
    queries: Sequence[Group],
    candidates: Sequence[Group],
    *,
    chosen: np.ndarray | None = None,
    what: str = "stems",
) -> np.ndarray:
    """Score queries against candidates.

    An EmbeddingScorer encodes each query and each candidate once; any other is asked query by
    query.

    Args:
        scorer: whom to ask.
        queries: n groups.
        candidates: m groups.
        chosen: shape (n, k), the candidates that each query is asked about; None: all of them.
        what: what the progress bar calls them.

    Returns:
        Shape (n, m), or (n, k).

    Raises:
        ValueError: if a Scorer returns another number of scores, or one that is not finite.
    """
    expected = (len(queries), len(candidates) if chosen is None else chosen.shape[1])
    rows = []
    with Progress(total=len(queries), desc=f"{scorer.name}: {what}") as progress:
        if isinstance(scorer, EmbeddingScorer):
            asking, answering = scorer.embed_query(queries), scorer.embed_candidate(candidates)
            for start in range(0, len(queries), _BLOCK):
                block = _numbers(scorer.similarity(asking[start : start + _BLOCK], answering))
                if chosen is not None:
                    block = np.take_along_axis(block, chosen[start : start + _BLOCK], axis=1)
                rows.append(block)
                progress.update(len(block))
        else:
            for index, query in enumerate(queries):
                asked = candidates if chosen is None else [candidates[i] for i in chosen[index]]
                rows.append(_numbers(scorer.score(query, asked))[None])
                progress.update()
    shapes = {row.shape[1:] for row in rows}
    if shapes != {expected[1:]} or sum(map(len, rows)) != expected[0]:
        raise ValueError(
            f"{scorer.name} answered {expected[0]} queries and {expected[1]} candidates with "
            f"scores of other shapes: {sorted(shapes)}"
        )
    scores = np.concatenate(rows)
    if not np.isfinite(scores).all():
        raise ValueError(
            f"{scorer.name} gave {int((~np.isfinite(scores)).sum())} scores that are not finite"
        )
    return scores


def score_groups(
    scorer: Scorer, groups: Sequence[tuple[Group, Group]], *, what: str = "mixes"
) -> np.ndarray:
    """Score pairs of query and candidate, shape (pairs,).

    Pairs with the same query are put to the Scorer in one call, so that it is encoded once.

    Raises:
        ValueError: if a Scorer returns another number of scores, or one that is not finite.
    """
    by_query: dict[tuple[tuple[str, str], ...], list[int]] = {}
    for index, (query, _) in enumerate(groups):
        key = tuple(sorted((role, part.part_id) for role, part in query.items()))
        by_query.setdefault(key, []).append(index)
    scores = np.full(len(groups), np.nan)
    progress = Progress(total=len(groups), desc=f"{scorer.name}: {what}", unit="mix")
    with progress:
        for indices in by_query.values():
            answers = scorer.score(groups[indices[0]][0], [groups[i][1] for i in indices])
            values = np.asarray(answers.detach().cpu(), dtype=np.float64)
            if values.shape != (len(indices),) or not np.isfinite(values).all():
                raise ValueError(
                    f"{scorer.name} answered {len(indices)} candidates with {values.tolist()}; "
                    f"one finite number for each was expected"
                )
            scores[indices] = values
            progress.update(len(indices))
    return scores


def _numbers(scores: torch.Tensor) -> np.ndarray:
    return np.asarray(scores.detach().cpu(), dtype=np.float64)
