"""What the published notebooks did to compare CLAP and MERT with COCOLA, done again.

AutoMashup's study reports Pearson, Spearman and Kendall of .051/.079/.053 (CLAP) and
−.018/−.017/−.010 (MERT). Its notebooks hear the first 10 s of each part, put all parts into one
list in which vocal and accompaniment of a song follow each other (v0, m0, v1, m1, …), compare that
list with itself, and cut an n × n block out of the 2n × 2n cosines as if all vocals came first:
`[n:2n, n:2n]` for CLAP, `[:n, n:2n]` for MERT. The block is correlated, cell by cell and diagonal
in, with COCOLA's n × n matrix of vocals against accompaniments. MERT's layers are joined by a
1 × 1 convolution whose weights are drawn anew for each part.

Here that is done with any library, so that it can be seen what is left of a correlation. What the
notebooks did to COCOLA itself (44.1 kHz into an extractor for 16 kHz, quarters of songs, the median
length filled up with the highest level) is not done again: the judge's scores are right.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional

from mashnet.data.parts import Group, SlicedPart
from mashnet.evaluation.subjects.songs import SongClip
from mashnet.models.published.mert import MertScorer
from mashnet.models.published.sound_embedding import SoundEmbeddingScorer
from mashnet.models.scorer import Scorer

HEARD_S = 10.0
# Which half of the list stands in the rows of the block and which in its columns: 0 first, 1 last.
BLOCKS = {"clap": (1, 1), "mert": (0, 1)}


def was_published(scorer: Scorer) -> bool:
    """Return whether the study compared this Scorer so."""
    return scorer.name in BLOCKS and isinstance(scorer, SoundEmbeddingScorer)


def interleaved_cosines(scorer: Scorer, clips: Sequence[SongClip], *, seed: int) -> np.ndarray:
    """Return the cosines of all parts in the notebooks' order, (2n, 2n).

    Args:
        scorer: clap or mert.
        clips: n clips.
        seed: of the weights that join MERT's layers.
    """
    assert isinstance(scorer, SoundEmbeddingScorer)
    groups = [_opening(group, c.duration_s) for c in clips for group in (c.vocal, c.music)]
    if isinstance(scorer, MertScorer):
        vectors = torch.stack(
            [_randomly_joined(scorer, group, [seed, i]) for i, group in enumerate(groups)]
        )
    else:
        vectors = scorer.embed_query(groups)
    return np.asarray(vectors @ vectors.T, dtype=np.float64)


def block_of(cosines: np.ndarray, name: str, drawn: np.ndarray) -> np.ndarray:
    """Cut the notebooks' block out, (m, m), for m clips in the order drawn.

    Args:
        cosines: shape (2n, 2n), of `interleaved_cosines`.
        name: clap or mert.
        drawn: m indices of clips.
    """
    rows, columns = _order(name, len(drawn))
    listed = np.stack([2 * drawn, 2 * drawn + 1], axis=1).ravel()
    return cosines[np.ix_(listed[rows], listed[columns])]


def right_cells(name: str, num_clips: int) -> tuple[int, int]:
    """Count what the block has in common with a matrix of vocals against accompaniments.

    Returns:
        The cells with a vocal in the row and an accompaniment in the column, and those among them
        that stand where the judge's matrix has the same pair.
    """
    rows, columns = _order(name, num_clips)
    places = np.arange(num_clips)
    mixed = np.outer(rows % 2 == 0, columns % 2 == 1)
    same = np.outer(rows // 2 == places, columns // 2 == places)
    return int(mixed.sum()), int((mixed & same).sum())


def _order(name: str, num_clips: int) -> tuple[np.ndarray, np.ndarray]:
    row_half, column_half = BLOCKS[name]
    places = np.arange(num_clips)
    return places + row_half * num_clips, places + column_half * num_clips


def _opening(group: Group, duration_s: float) -> dict[str, SlicedPart]:
    heard_s = min(HEARD_S, duration_s) if duration_s > 0 else HEARD_S
    return {role: SlicedPart(part, 0.0, heard_s) for role, part in group.items()}


def _randomly_joined(scorer: MertScorer, group: Group, seed: Sequence[int]) -> torch.Tensor:
    """Return the sum of the layers, with weights drawn as those of an untrained convolution."""
    layers = scorer.layers_of(scorer.frontend.wave_of(group).numpy())
    bound = len(layers) ** -0.5
    drawn = np.random.default_rng(seed).uniform(-bound, bound, len(layers) + 1)
    weights = torch.from_numpy(drawn).to(layers)
    return functional.normalize(weights[:-1] @ layers + weights[-1], dim=0)
