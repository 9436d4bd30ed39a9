"""Reading a file of a store here and there."""

from __future__ import annotations

import io
import os
from collections import OrderedDict
from typing import Any, Protocol

from mashnet.errors import StorageError

# One request brings this much of a file that is read here and there (docs/storage.md has why).
RANGE_BYTES = 1 << 17
_MOST_AHEAD = 32  # blocks of one request
_BLOCKS_KEPT = 64  # of one open file


class Ranged(Protocol):
    """A file that can be read by range, as `mashnet.storage.store_path.StorePath` can."""

    def stat(self) -> Any:
        """Return `st_size` in bytes."""

    def read_range(self, start: int | None, end: int | None) -> bytes:
        """Return the bytes from `start` up to `end`."""


class RangeReader(io.RawIOBase):
    """A file of a store as decoders read it: here and there, by range.

    Blocks that were read last are kept. Who reads on gets twice as many with each request, so that
    a short stretch costs little traffic and a long one few requests.

    Attributes:
        failure: what the store answered, if it failed.
    """

    def __init__(self, path: Ranged, *, quiet: bool = False) -> None:
        """Ask for the file's size.

        Args:
            path: the file.
            quiet: for decoders written in C, which cannot pass an exception on: if the store fails,
                the file seems to end; who called the decoder asks for `failure` when it is done.

        Raises:
            FileNotFoundError: if there is no such file.
        """
        self.name = str(path)
        self.failure: Exception | None = None
        self._path = path
        self._quiet = quiet
        self._size = path.stat().st_size
        self._position = 0
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._next = -1  # the block after those that were asked for last
        self._ahead = 1  # blocks of the last request

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position in bytes."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move the position; costs no request."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer, all of it unless the file ends; raises StorageError."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def read(self, size: int = -1) -> bytes:
        """Return `size` bytes, fewer only at the file's end; raises StorageError."""
        left = max(0, self._size - self._position)
        wanted = left if size is None or size < 0 else min(size, left)
        pieces = []
        while wanted:
            index, offset = divmod(self._position, RANGE_BYTES)
            try:
                piece = self._block(index)[offset : offset + wanted]
            except Exception as error:
                self.failure = error
                if self._quiet:
                    return b""
                raise
            self._position += len(piece)
            wanted -= len(piece)
            pieces.append(piece)
        return b"".join(pieces)

    def _block(self, index: int) -> bytes:
        if index not in self._blocks:
            reads_on = index == self._next
            self._ahead = min(2 * self._ahead, _MOST_AHEAD) if reads_on else 1
            self._next = index + self._ahead
            start, end = index * RANGE_BYTES, min(self._next * RANGE_BYTES, self._size)
            data = self._path.read_range(start, end)
            if len(data) != end - start:
                raise StorageError(f"{self.name} was changed while it was read; start again")
            for at in range(0, len(data), RANGE_BYTES):
                self._blocks[index + at // RANGE_BYTES] = data[at : at + RANGE_BYTES]
            while len(self._blocks) > _BLOCKS_KEPT:
                self._blocks.popitem(last=False)
        self._blocks.move_to_end(index)
        return self._blocks[index]
