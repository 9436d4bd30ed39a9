"""Where stretching is done: in this process, or in several that stay.

Rubber Band's binding keeps the interpreter's lock while it works: two threads take as long as one
after the other. So several workers are processes. They start in about half a second, stay for
the next mashup, and import the main module, as all of Python's do: a script that asks for them
needs `if __name__ == "__main__":`.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache
from multiprocessing import get_context

from mashnet.errors import AudioError

_WORTH_S = 60.0  # of sound; less is stretched before processes have started


@contextlib.contextmanager
def stretching(workers: int | None, sound_s: float) -> Iterator[tuple[Executor, int]]:
    """Yield where to stretch, and how many sounds are stretched at once.

    Args:
        workers: how many; None: as many as there are cores, where that is worth it.
        sound_s: seconds of sound that are to be stretched, over all stems.

    Raises:
        AudioError: if a worker was killed.
    """
    count = workers or len(os.sched_getaffinity(0))
    started = _processes.cache_info().currsize > 0
    if count == 1 or (workers is None and sound_s < _WORTH_S and not started):
        with ThreadPoolExecutor(1) as thread:
            yield thread, 1
        return
    try:
        yield _processes(count), count
    except BrokenProcessPool as error:
        _processes.cache_clear()
        raise AudioError(
            "a process that stretched sound was killed, for want of memory perhaps; try again, or "
            "with one worker"
        ) from error


@lru_cache(maxsize=1)
def _processes(count: int) -> ProcessPoolExecutor:
    pool = ProcessPoolExecutor(count, mp_context=get_context("forkserver"))
    for _ in range(count):  # so that they start while the base is read
        pool.submit(int)
    return pool
