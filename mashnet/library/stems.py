"""The stems of a MashupDB as one model hears them, ready to be searched.

Embeddings lie under <database>/cache/embeddings/<model>/ and are made when they are first needed.

A network whose windows do not meet gives each stem one vector, and a score is one inner product:
these are searched with FAISS (mashnet.library.index). The index of a large library is kept beside
the embeddings; stems that came since are compared one by one until they are many, and then the
index is built anew. Where windows meet, a pair's score is a mean over the windows that both have,
which is no inner product of two fixed vectors: all stems are compared, block by block.
"""

from __future__ import annotations

import hashlib
import heapq
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from mashnet.data.embedding_store import Block, EmbeddingStore
from mashnet.data.mashupdb import MashupDB
from mashnet.data.parts import ArrayPart, Group
from mashnet.errors import DatabaseError
from mashnet.files import content_id
from mashnet.library.block_indexes import BlockIndexes
from mashnet.library.encoding import Encode, embedding_of
from mashnet.library.index import EXACT_UP_TO
from mashnet.models.stems.scoring import StemScorer

EMBEDDING_VERSION = 1  # of how `StemScorer` makes an embedding from weights and sound

# What a query says to the first number of an embedding, which is 1, or 0 for a silent stem: a
# cosine is at least −1, so that everything that sounds comes before everything silent.
_SOUNDS = 2.0


class StemLibrary:
    """Finds the stems of a database that fit a mix best.

    Attributes:
        unusable: stem_id → reason, of the stems that have no embedding.
    """

    def __init__(
        self,
        root: str | Path,
        scorer: StemScorer,
        *,
        model: Any = None,
        encode: Encode | None = None,
        exact_up_to: int = EXACT_UP_TO,
    ) -> None:
        """Encode what is not stored yet.

        Args:
            root: folder of a MashupDB.
            scorer: who is asked.
            model: what the weights do not say about the network; plain values.
            encode: who encodes stems; None: the Scorer, one after the other.
            exact_up_to: with more stems than this the search is approximate.

        Raises:
            DatabaseError: if it is not a MashupDB, or has no stem that can be used.
        """
        self.database = MashupDB.open(root)
        self.scorer = scorer
        self.unusable: dict[str, str] = {}
        self._encode = encode or self._encode_here
        self._stems = {self._key(stem_id): stem_id for stem_id in self.database.stem_rows}
        folder = self.database.place("cache", "embeddings", model_id(scorer, model))
        self.blocks = EmbeddingStore(folder).update(
            list(self._stems),
            self._encode_all,
            label=f"{scorer.name}: {root}",
            width=self._width,
        )
        if self.unusable:
            first = next(iter(self.unusable.values()))
            print(
                f"{len(self.unusable)} of {len(self._stems)} stems cannot be used and are left "
                f"out; the first: {first}",
                file=sys.stderr,
            )
        if not self.blocks:
            raise DatabaseError(f"{root} has no stems to search")
        self._indexes: BlockIndexes | None = None
        if not scorer.network.windows_meet:
            self._indexes = BlockIndexes(
                folder, self.blocks, _first_windows, unit="stem", exact_up_to=exact_up_to
            )

    def __len__(self) -> int:
        """Return how many stems can be found, silent ones included."""
        return sum(len(block.keys) for block in self.blocks)

    @property
    def is_exact(self) -> bool:
        """Whether every stem is compared."""
        return self._indexes is None or self._indexes.is_exact

    def search(self, query: Group, top: int) -> list[tuple[str, float]]:
        """Return the best stems as (stem_id, score), best first; silent stems are never found.

        Scores are those of `StemScorer.score`, also where the search for them is approximate.
        """
        asked = self.scorer.embed_query([query])
        found: list[tuple[float, str]] = []
        for keys, embeddings in self._candidates(asked, top):
            rows = torch.from_numpy(np.array(embeddings))
            scores = self.scorer.similarity(asked, rows)[0]
            sounds = rows[:, :, 0].amax(1) > 0
            pairs = zip(scores[sounds].tolist(), np.array(keys)[sounds.numpy()], strict=True)
            found = heapq.nlargest(top, [*found, *pairs], key=_by_score)
        return [(self._stems[str(key)], score) for score, key in found]

    def _candidates(
        self, asked: torch.Tensor, top: int
    ) -> Sequence[tuple[Sequence[str], np.ndarray]]:
        """Return keys and embeddings among which the best ones are."""
        if self._indexes is None:
            return [(block.keys, block.embeddings) for block in self.blocks]
        vector = asked[0, :1].numpy().copy()
        vector[:, 0] = _SOUNDS
        keys, rows = [], []
        starts = np.cumsum([0, *(len(block.keys) for block in self.blocks)])
        for place in self._indexes.search(vector, top)[2]:
            number = int(np.searchsorted(starts, place, side="right")) - 1
            block, row = self.blocks[number], place - starts[number]
            keys.append(block.keys[row])
            rows.append(block.embeddings[row][:1])
        return [(keys, np.stack(rows))]

    def _encode_all(self, keys: Sequence[str]) -> Iterator[np.ndarray | None]:
        paths = {}
        for key in keys:
            try:
                paths[key] = self.database.audio_path(self._stems[key])
            except DatabaseError as error:
                self.unusable[self._stems[key]] = str(error)
        found = iter(self._encode(list(paths.values())))
        for key in keys:
            embedding = next(found) if key in paths else None
            if isinstance(embedding, str):
                self.unusable[self._stems[key]] = embedding
                embedding = None
            yield embedding

    def _encode_here(self, stems: Sequence[Path]) -> Iterator[np.ndarray | str]:
        return (embedding_of(self.scorer, path) for path in stems)

    def _width(self) -> int:
        """Return how many numbers an embedding has: of silence as of any other sound."""
        silence = ArrayPart(np.zeros(1, np.float32), self.scorer.frontend.sample_rate)
        return int(self.scorer.embed_candidate([{"target": silence}]).shape[2])

    def _key(self, stem_id: str) -> str:
        """Return a name for a stem's sound: a database built anew may reuse ids for other files."""
        try:
            size = self.database.audio_bytes(stem_id)
        except DatabaseError:
            size = 0
        return f"{stem_id}-{size}"


def model_id(scorer: StemScorer, model: Any = None) -> str:
    """Return a hash of everything that an embedding depends on beside the sound.

    Args:
        scorer: its weights and its frontend count, its name does not.
        model: what the weights do not say about the network; plain values.
    """
    return content_id(
        "stem embeddings",
        EMBEDDING_VERSION,
        type(scorer.network).__qualname__,
        [model],
        scorer.frontend.frontend_id,
        weights_digest(scorer.network),
    )


def weights_digest(network: nn.Module) -> str:
    """Return a hash of the weights of a network."""
    digest = hashlib.blake2b(digest_size=16)
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)} ".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def _first_windows(block: Block) -> np.ndarray:
    return block.embeddings[:, 0]


def _by_score(pair: tuple[float, str]) -> float:
    return pair[0]
