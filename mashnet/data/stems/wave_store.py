"""Stems as raw samples on disk, so that any stretch of one is read by seeking.

A FLAC of 44.1 kHz would have to be decoded and resampled for every chunk that training asks for.
"""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mashnet.audio.io import read_audio
from mashnet.data.mashupdb import MashupDB
from mashnet.errors import AudioError, DatabaseError
from mashnet.execution.executor import DIED, Executor
from mashnet.execution.local import LocalExecutor
from mashnet.files import remove_leftovers, written_atomically
from mashnet.storage.contained_paths import inside, place
from mashnet.storage.local_copies import load_array
from mashnet.storage.paths import is_local, missing

# Sums of stems may pass full scale; half of it leaves 6 dB and 90 dB below.
_STORED_GAIN = 0.5
_WAVES = Path("cache") / "waves"  # in the database's folder
_MOST_OPEN = 30_000  # mapped files; Linux allows a process 65,530


class WaveStore:
    """Mono waveforms of a MashupDB's stems at one sample rate, 16 bits, memory-mapped.

    Those of a database in a store lie there, too, and are read through copies on this machine.

    Attributes:
        unreadable: stem_id → reason, of the stems that the last `build` could not decode.
    """

    def __init__(self, database: MashupDB, sample_rate: int) -> None:
        """Keep the files under the database's cache, one folder per rate."""
        self.database = database
        self.sample_rate = sample_rate
        self.folder = database.place(_WAVES, str(sample_rate))
        self.unreadable: dict[str, str] = {}
        self._open: dict[str, np.ndarray] = {}

    def build(self, stem_ids: Sequence[str], *, executor: Executor | None = None) -> int:
        """Decode the stems that are not there yet; return how many were.

        A run that is killed is continued by calling it again. Files that are damaged are made anew,
        and those of stems that were replaced. Stems that cannot be read end up in `unreadable`.

        Args:
            stem_ids: which stems.
            executor: who decodes; None: all cores, where there is enough to do.

        Raises:
            DatabaseError: if there is no such stem, or there is a symbolic link on the way.
        """
        self.unreadable = {}
        self._open.clear()  # a stem may have been replaced since
        self.database.list_audio_anew()
        absent = self._absent(list(dict.fromkeys(stem_ids)))
        if not absent:
            return 0
        jobs = [(self.database.audio_path(s), self._place(s), s, self.sample_rate) for s in absent]
        remove_leftovers(self.folder)
        executor = executor or LocalExecutor.for_items(len(jobs))
        reasons = executor.run(_decode, jobs, label="waveforms", unit="stem", died=_process_died)
        for stem_id, reason in zip(absent, reasons, strict=True):
            if reason is not None:
                self.unreadable[stem_id] = reason
        return len(absent) - len(self.unreadable)

    def num_samples(self, stem_id: str) -> int:
        """Return how long a stem is, in samples."""
        return len(self._samples(stem_id))

    def read(self, stem_id: str, start: int, length: int) -> np.ndarray:
        """Return `length` samples from `start`, float32; silence beyond the stem's end.

        Raises:
            DatabaseError: if the stem was not built, was replaced since, is damaged, or is a link
                to a file elsewhere.
        """
        stored = self._samples(stem_id)[start : start + length]
        samples = np.empty(length, np.float32)
        np.multiply(stored, np.float32(1 / (32767 * _STORED_GAIN)), out=samples[: len(stored)])
        samples[len(stored) :] = 0
        return samples

    def __getstate__(self) -> dict[str, Any]:
        """Leave the open files out: pickled, each would be all of its samples."""
        return {**self.__dict__, "_open": {}}

    def _samples(self, stem_id: str) -> np.ndarray:
        if stem_id in self._open:
            return self._open[stem_id]
        path = self._path(stem_id)
        inside(self.folder, "/".join(self._names(stem_id)), f"the waveform of {stem_id}")
        try:
            samples = load_array(path)
            if samples.dtype != np.int16 or samples.ndim != 1:
                raise ValueError(f"it holds {samples.dtype} of shape {samples.shape}")
        except (OSError, ValueError, EOFError) as error:
            mend = "Start again" if is_local(path) else "Delete it and start again"
            raise DatabaseError(
                f"{path} is missing or damaged: {' '.join(str(error).split())}. "
                f"{mend}: it is then made anew"
            ) from error
        if not is_local(path):
            return samples  # kept open, a copy would take its room even when it is removed
        if len(self._open) >= _MOST_OPEN:
            self._open.clear()
        self._open[stem_id] = samples
        return samples

    def _absent(self, stem_ids: Sequence[str]) -> list[str]:
        if is_local(self.folder):
            return [stem_id for stem_id in stem_ids if not self._is_whole(stem_id)]
        # What a store has is whole; to look into it would be to fetch all of it.
        paths = {stem_id: self._path(stem_id) for stem_id in stem_ids}
        not_there = missing(self.folder, paths.values())
        return [stem_id for stem_id, path in paths.items() if path in not_there]

    def _is_whole(self, stem_id: str) -> bool:
        try:
            self._samples(stem_id)
        except DatabaseError:
            return False
        return True

    def _path(self, stem_id: str) -> Path:
        """Name a stem's sound: a database built anew may reuse ids for other files."""
        return self.folder.joinpath(*self._names(stem_id))

    def _place(self, stem_id: str) -> Path:
        return place(self.folder, *self._names(stem_id))

    def _names(self, stem_id: str) -> tuple[str, str]:
        return stem_id[:2], f"{stem_id}.{self.database.audio_bytes(stem_id)}.npy"


def _process_died(_: object) -> str:
    return DIED


def _decode(job: tuple[Path, Path, str, int]) -> str | None:
    """Decode one stem into its file, in place of its older ones; return why it cannot be read."""
    source, path, stem_id, sample_rate = job
    try:
        audio, _ = read_audio(source, sample_rate=sample_rate, mono=True)
    except AudioError as error:
        return str(error)
    scaled = np.clip(np.round(audio[0] * (32767 * _STORED_GAIN)), -32768, 32767)
    with written_atomically(path) as temporary:
        np.save(temporary, scaled.astype(np.int16))
    for older in path.parent.glob(f"{glob.escape(stem_id)}.*npy"):  # files once had no size
        if older != path:
            older.unlink(missing_ok=True)
    return None
