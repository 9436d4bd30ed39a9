"""Embeddings of a library on disk, encoded once; only what changed is encoded anew.

A store is a folder that belongs to one model (its name holds a hash of the weights and of the
frontend). It holds blocks: each a .npy file with some stems' keys and embeddings, named by the
hash of its bytes, written as a whole or not at all. A run that is killed loses the block that it
was working on. A block that does not match its name is left out, and its stems encoded anew.
"""

from __future__ import annotations

import hashlib
import io
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mashnet.errors import DatabaseError
from mashnet.files import file_digest, remove_leftovers, written_atomically
from mashnet.progress import Progress
from mashnet.storage.contained_paths import inside
from mashnet.storage.local_copies import load_array
from mashnet.storage.paths import is_local

# Keys → the embedding of each, (windows, 1 + d), or None if it is unusable; in the same order.
Encode = Callable[[Sequence[str]], Iterable["np.ndarray | None"]]

_MOST_ROWS = 256  # of a block: what a kill may cost
_MOST_BYTES = 1 << 25


@dataclass(frozen=True)
class Block:
    """Some stems and their embeddings, memory-mapped."""

    path: Path
    keys: list[str]
    embeddings: np.ndarray  # (stems, windows, 1 + d) float32; short ones end in zeros


class EmbeddingStore:
    """The embeddings of one library by one model."""

    def __init__(self, folder: Path) -> None:
        """Name the folder; it is made when there is something to write."""
        self.folder = folder

    def update(
        self,
        keys: Sequence[str],
        encode: Encode,
        *,
        label: str = "library",
        unit: str = "stem",
        width: Callable[[], int] | None = None,
        keep_others: bool = False,
    ) -> list[Block]:
        """Encode what is not there yet, drop what is not wanted any more, return all blocks.

        Args:
            keys: what is wanted; a key stands for the same sound for ever.
            encode: asked for the embeddings of the keys that are not stored. Where it answers
                None the key is left out, and asked for again next time.
            label: what the progress bar says.
            unit: what a key stands for.
            width: how many numbers the model says of a window, asked for if there are blocks;
                others are encoded anew. None: as the first block has it.
            keep_others: whether keys that are not wanted stay, for who wants them next.

        Returns:
            Blocks in the order of their names; each wanted key is in one of them, once.
        """
        remove_leftovers(self.folder)
        blocks = self._read_all(keys, width, keep_others)
        stored = {key for block in blocks for key in block.keys}
        missing = [key for key in dict.fromkeys(keys) if key not in stored]
        rows: dict[str, np.ndarray] = {}
        embeddings = Progress(
            encode(missing) if missing else [],
            desc=label,
            total=len(missing),
            unit=unit,
            hidden=not missing,
        )
        for key, embedding in zip(missing, embeddings, strict=True):
            if embedding is not None:
                rows[key] = np.asarray(embedding, dtype=np.float32)
            if len(rows) >= _MOST_ROWS or sum(r.nbytes for r in rows.values()) >= _MOST_BYTES:
                blocks.append(self._write(rows))
                rows = {}
        if rows:
            blocks.append(self._write(rows))
        return sorted(blocks, key=lambda block: block.path.name)

    def _read_all(
        self, keys: Sequence[str], width: Callable[[], int] | None, keep_others: bool
    ) -> list[Block]:
        """Return the blocks on disk, without rows that nobody wants or that stand there twice."""
        unseen, known = set(keys), set[str]()
        blocks: list[Block] = []
        paths = sorted(self.folder.glob("*.npy"))
        expected = width() if paths and width is not None else None
        for path in paths:
            if path in (block.path for block in blocks):
                continue  # what was left of an earlier block is the same as this one
            block = _read(path, expected)
            if block is None:
                continue
            expected = block.embeddings.shape[2]
            kept = [
                row
                for row, key in enumerate(block.keys)
                if (key not in known if keep_others else key in unseen)
            ]
            if len(kept) == len(block.keys):
                blocks.append(block)
            else:
                # The new block first: a kill in between leaves rows twice, which is harmless.
                if kept:
                    rows = {block.keys[row]: block.embeddings[row] for row in kept}
                    blocks.append(self._write(rows))
                path.unlink(missing_ok=True)
            unseen -= set(block.keys)
            known |= set(block.keys)
        return blocks

    def _write(self, rows: dict[str, np.ndarray]) -> Block:
        windows = max(len(embedding) for embedding in rows.values())
        width = next(iter(rows.values())).shape[1]
        longest = max(map(len, rows))
        kind = np.dtype([("key", f"U{longest}"), ("embedding", "<f4", (windows, width))])
        table = np.zeros(len(rows), kind)
        for number, (key, embedding) in enumerate(rows.items()):
            table["key"][number] = key
            table["embedding"][number, : len(embedding)] = embedding
        buffer = io.BytesIO()
        np.save(buffer, table, allow_pickle=False)
        digest = hashlib.blake2b(buffer.getbuffer(), digest_size=16).hexdigest()
        path = self.folder / f"{digest}.npy"
        with written_atomically(path) as temporary:
            temporary.write_bytes(buffer.getbuffer())
        return _opened(path)


def _read(path: Path, width: int | None) -> Block | None:
    """Return a block, or None with one line where the file is damaged (it is then deleted)."""
    try:
        inside(path.parent, path.name, "a block of embeddings")
        # What a store has is whole, and reading it twice would be to fetch it twice.
        if not is_local(path) or file_digest(path) == path.stem:
            block = _opened(path)
            _require_sound(block, width)
            return block
        reason = "its bytes do not match its name"
    except (OSError, ValueError, KeyError, IndexError, DatabaseError) as error:
        reason = " ".join(str(error).split())[:200]
    print(f"{path} is damaged ({reason}); its stems are encoded anew", file=sys.stderr)
    path.unlink(missing_ok=True)
    return None


def _opened(path: Path) -> Block:
    table = load_array(path)
    kind = table.dtype
    if table.ndim != 1 or kind.names != ("key", "embedding") or kind["key"].kind != "U":
        raise ValueError("it is no table of keys and embeddings")
    if kind["embedding"].base != np.dtype("<f4") or len(kind["embedding"].shape) != 2:
        raise ValueError("its embeddings are no float32 of two axes")
    return Block(path, table["key"].tolist(), table["embedding"])


def _require_sound(block: Block, width: int | None) -> None:
    """Raise a ValueError for what no model here has written."""
    _, windows, found = block.embeddings.shape
    if not block.keys or not windows or not found:
        raise ValueError("it is empty")
    if width is not None and found != width:
        raise ValueError(f"it has {found} numbers a window, not {width}")
    if len(set(block.keys)) != len(block.keys):
        raise ValueError("a key stands in it twice")
    if not np.isfinite(block.embeddings).all():
        raise ValueError("it has numbers that are not finite")
