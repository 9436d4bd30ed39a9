"""Many log-mels of one shape in one file, so that a batch is read in one go.

In a store they lie in shards of about a quarter of a megabyte, which are read through copies on
this machine; docs/storage.md has what other sizes cost.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mashnet.data.loops.frontend import LoopFrontend
from mashnet.data.parts import Part
from mashnet.errors import DatabaseError
from mashnet.files import content_id, remove_leftovers, written_atomically
from mashnet.progress import Progress
from mashnet.storage.contained_paths import place
from mashnet.storage.local_copies import load_array
from mashnet.storage.paths import is_local, missing

Sounds = Sequence[Part]  # heard together: one loop, or two

_SHARD_BYTES = 1 << 18


class ShardedRows:
    """Rows that lie in several files; indexed like one array, by a number or an array of them."""

    def __init__(
        self, paths: Sequence[Path], rows_per_shard: int, length: int, row_shape: tuple[int, ...]
    ) -> None:
        """Name the shards, of float16; all but the last hold `rows_per_shard` rows."""
        self.paths = list(paths)
        self.row_shape = row_shape
        self.rows_per_shard = rows_per_shard
        self._length = length

    def __len__(self) -> int:
        """Return the number of rows."""
        return self._length

    def __getitem__(self, rows: int | np.integer | np.ndarray) -> np.ndarray:
        """Return one row, or an array of rows in the order that was asked for.

        Raises:
            DatabaseError: if a shard holds something else.
        """
        if isinstance(rows, int | np.integer):
            return self[np.array([rows])][0]
        wanted = np.where(rows < 0, rows + self._length, rows)
        shards = wanted // self.rows_per_shard
        if not len(wanted):
            raise IndexError("no rows were asked for")
        found = np.empty((len(wanted), *self.row_shape), np.float16)
        for shard in np.unique(shards):
            stored = load_array(self.paths[shard])
            count = min(self.rows_per_shard, self._length - shard * self.rows_per_shard)
            if stored.dtype != np.float16 or stored.shape != (count, *self.row_shape):
                raise DatabaseError(
                    f"{self.paths[shard]} is damaged: it holds {stored.dtype} of shape "
                    f"{stored.shape}. Delete it and start again: it is then made anew"
                )
            here = shards == shard
            found[here] = stored[wanted[here] - shard * self.rows_per_shard]
        return found


class PackedMels:
    """Log-mels of loops, and of mixes of loops, as float16, (sounds, frames, mels)."""

    def __init__(self, root: Path, frontend: LoopFrontend) -> None:
        """Keep the files under `root`, one folder per frontend."""
        self.folder = place(root, frontend.frontend_id)
        self.frontend = frontend

    def pack(
        self, sounds: Sequence[Sounds], *, label: str, device: str = "cpu"
    ) -> np.ndarray | ShardedRows:
        """Return the log-mels of some sounds, computed if they are not there yet.

        Args:
            sounds: what is heard together, in the order of the rows.
            label: what the progress bar says.
            device: where the spectrograms are computed.

        Returns:
            A memory-mapped array; where they lie in a store, what is indexed like one.
        """
        key = content_id("packed", [[part.part_id for part in parts] for parts in sounds])
        if not is_local(self.folder):
            return self._sharded(place(self.folder, key), sounds, label=label, device=device)
        path = place(self.folder, f"{key}.npy")  # a link is neither written nor read
        if not path.is_file() or not self._is_sound(path, len(sounds)):
            remove_leftovers(self.folder)
            with Progress(total=len(sounds), desc=label, unit="loop") as bar:
                self._write(path, sounds, device, bar)
        return load_array(path)

    @property
    def _row_shape(self) -> tuple[int, int]:
        return self.frontend.frames, self.frontend.log_mel.n_mels

    def _is_sound(self, path: Path, count: int) -> bool:
        """Return whether a file holds what `_write` writes; say so if it does not."""
        try:
            found = load_array(path)
            reason = f"it holds {found.dtype} of shape {found.shape}"
            if found.dtype == np.float16 and found.shape == (count, *self._row_shape):
                return True
        except (OSError, ValueError, EOFError) as error:
            reason = " ".join(str(error).split())
        print(f"{path} is damaged ({reason[:200]}); it is made anew", file=sys.stderr)
        return False

    def _sharded(
        self, folder: Path, sounds: Sequence[Sounds], *, label: str, device: str
    ) -> ShardedRows:
        row_bytes = 2 * self.frontend.frames * self.frontend.log_mel.n_mels
        step = max(1, _SHARD_BYTES // row_bytes)
        paths = [folder / f"{step}-{first}.npy" for first in range(0, len(sounds), step)]
        absent = missing(folder, paths)
        with Progress(total=len(sounds), desc=label, unit="loop", hidden=not absent) as bar:
            for number, path in enumerate(paths):
                shard = sounds[number * step : (number + 1) * step]
                if path in absent:
                    self._write(path, shard, device, bar)
                else:
                    bar.update(len(shard))
        return ShardedRows(paths, step, len(sounds), self._row_shape)

    def _write(self, path: Path, sounds: Sequence[Sounds], device: str, bar: Progress) -> None:
        shape = (len(sounds), *self._row_shape)
        with written_atomically(path) as temporary:
            rows = np.lib.format.open_memmap(temporary, "w+", np.float16, shape)
            _take_room(temporary)
            for row, parts in enumerate(sounds):
                rows[row] = self.frontend.log_mel_of(parts, device).cpu().numpy()
                bar.update()
            rows.flush()


def _take_room(path: Path) -> None:
    """Give a file the blocks that it will need: a mapped file on a full disk ends the process."""
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
