"""Encodes the stems of a library by a checkpoint, on whatever machines an executor has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from mashnet.data.parts import FilePart
from mashnet.errors import MashnetError, StorageError
from mashnet.execution.executor import DIED, Executor
from mashnet.execution.local import LocalExecutor
from mashnet.models.loading import load_scorer
from mashnet.models.trained import TrainedScorer

# Files of stems → their embeddings, (windows, 1 + d), or why there is none; in the same order.
Encode = Callable[[Sequence[Path]], Iterable["np.ndarray | str"]]


@dataclass(frozen=True)
class Task:
    """One stem, and what encodes it."""

    checkpoint: Path
    stem: Path


def encoder(checkpoint: Path, executor: Executor | None = None) -> Encode:
    """Return what encodes stems as a checkpoint hears them.

    Args:
        checkpoint: a run or bundle of a network of the stems view.
        executor: who encodes; None: all cores, where there is enough to do.
    """

    def encode(stems: Sequence[Path]) -> Iterable[np.ndarray | str]:
        who = executor or LocalExecutor.for_items(len(stems))
        tasks = [Task(checkpoint, stem) for stem in stems]
        return who.each(encode_stem, tasks, died=lambda _: DIED, on_gpu=True)

    return encode


def encode_stem(task: Task) -> np.ndarray | str:
    """Return what a checkpoint makes of a stem, see `embedding_of`.

    Raises:
        CheckpointError: if the checkpoint cannot be loaded.
    """
    return embedding_of(_scorer(task.checkpoint), task.stem)


def embedding_of(scorer: TrainedScorer, stem: Path) -> np.ndarray | str:
    """Return a stem's embedding, (windows, 1 + d) float32, or why there is none.

    Raises:
        StorageError: if the store that it lies in fails.
    """
    try:
        with torch.inference_mode():
            embedding = scorer.embed_candidate([{"target": FilePart(stem)}])  # type: ignore[attr-defined]
    except StorageError:  # it is not the stem's fault
        raise
    except MashnetError as error:
        return str(error)
    return embedding[0].numpy()


@lru_cache(maxsize=1)
def _scorer(checkpoint: Path) -> TrainedScorer:
    scorer = load_scorer(checkpoint)
    if torch.cuda.is_available():
        scorer.network.to("cuda")
    return scorer
