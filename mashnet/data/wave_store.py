"""Stems as raw samples on disk, so that any stretch of one is read by seeking.

A FLAC of 44.1 kHz would have to be decoded and resampled for every chunk that training asks for.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from mashnet.audio.io import read_audio
from mashnet.data.mashupdb import MashupDB
from mashnet.errors import DatabaseError
from mashnet.files import remove_leftovers, written_atomically

# Sums of stems may pass full scale; half of it leaves 6 dB and 90 dB below.
_STORED_GAIN = 0.5
_WORTH_PROCESSES = 16  # stems; fewer are decoded before processes have started
_MOST_OPEN = 30_000  # mapped files; Linux allows a process 65,530


class WaveStore:
    """Mono waveforms of a MashupDB's stems at one sample rate, 16 bits, memory-mapped."""

    def __init__(self, database: MashupDB, sample_rate: int) -> None:
        """Keep the files under the database's cache, one folder per rate."""
        self.database = database
        self.sample_rate = sample_rate
        self.folder = database.root / "cache" / "waves" / str(sample_rate)
        self._open: dict[str, np.ndarray] = {}

    def build(self, stem_ids: Sequence[str], *, workers: int | None = None) -> int:
        """Decode the stems that are not there yet, on all cores; return how many were.

        A run that is killed is continued by calling it again. Files that are damaged are made anew.

        Raises:
            AudioError: if a stem's file cannot be read.
        """
        absent = [
            (self.database.audio_path(stem_id), self._path(stem_id), self.sample_rate)
            for stem_id in dict.fromkeys(stem_ids)
            if not self._is_whole(stem_id)
        ]
        if not absent:
            return 0
        remove_leftovers(self.folder)
        workers = workers or len(os.sched_getaffinity(0))
        bar = tqdm(total=len(absent), desc="waveforms", unit="stem", disable=None)
        if workers == 1 or len(absent) < _WORTH_PROCESSES:
            for job in absent:
                _decode(job)
                bar.update()
        else:
            pool = ProcessPoolExecutor(workers, mp_context=get_context("forkserver"))
            try:
                for _ in pool.map(_decode, absent, chunksize=4):
                    bar.update()
            finally:
                pool.shutdown(cancel_futures=True)
        bar.close()
        return len(absent)

    def num_samples(self, stem_id: str) -> int:
        """Return how long a stem is, in samples."""
        return len(self._samples(stem_id))

    def read(self, stem_id: str, start: int, length: int) -> np.ndarray:
        """Return `length` samples from `start`, float32; silence beyond the stem's end.

        Raises:
            DatabaseError: if the stem was not built, or its file is damaged.
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
        try:
            samples = np.load(path, mmap_mode="r", allow_pickle=False)
            if samples.dtype != np.int16 or samples.ndim != 1:
                raise ValueError(f"it holds {samples.dtype} of shape {samples.shape}")
        except (OSError, ValueError, EOFError) as error:
            raise DatabaseError(
                f"{path} is missing or damaged: {' '.join(str(error).split())}. "
                "Start again: it is then made anew"
            ) from error
        if len(self._open) >= _MOST_OPEN:
            self._open.clear()
        self._open[stem_id] = samples
        return samples

    def _is_whole(self, stem_id: str) -> bool:
        try:
            self._samples(stem_id)
        except DatabaseError:
            return False
        return True

    def _path(self, stem_id: str) -> Path:
        return self.folder / stem_id[:2] / f"{stem_id}.npy"


def _decode(job: tuple[Path, Path, int]) -> None:
    """Decode one stem into its file."""
    source, path, sample_rate = job
    audio, _ = read_audio(source, sample_rate=sample_rate, mono=True)
    scaled = np.clip(np.round(audio[0] * (32767 * _STORED_GAIN)), -32768, 32767)
    with written_atomically(path) as temporary:
        np.save(temporary, scaled.astype(np.int16))
