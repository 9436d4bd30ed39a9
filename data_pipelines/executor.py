"""The same function over many items, on all cores of this machine, in order."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar
from unittest import mock

from tqdm import tqdm

Item = TypeVar("Item")
Result = TypeVar("Result")

# Each process gets one core; numerical libraries must not start threads of their own.
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def run_all(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    workers: int,
    label: str,
    died: Callable[[Item], Result],
) -> list[Result]:
    """Apply a function to all items in processes of their own, with a progress bar.

    Args:
        function: a function of a module (processes import it by name).
        items: picklable items.
        workers: processes; 0 is one per core, 1 stays in this process.
        label: what the progress bar says.
        died: the result for an item whose process was killed (memory), tried once more alone.

    Returns:
        The results in the items' order.

    Raises:
        Exception: what the function raised first; work that has not begun is then left.
    """
    workers = min(workers or available_cores(), max(1, len(items)))
    if workers <= 1:
        return [function(item) for item in tqdm(items, desc=label, unit="song", disable=None)]
    results: dict[int, Result] = {}
    pending = list(range(len(items)))
    with (
        mock.patch.dict(os.environ, _ONE_THREAD),  # processes inherit it
        tqdm(total=len(items), desc=label, unit="song", disable=None) as bar,
    ):
        while pending:
            lost = _round(function, items, pending, results, workers, bar)
            # Items begin in order, so those that ran when a process died come first.
            suspects, pending = lost[: 2 * workers], lost[2 * workers :]
            for index in suspects:
                if _round(function, items, [index], results, 1, bar):
                    results[index] = died(items[index])
                    bar.update()
    return [results[index] for index in range(len(items))]


def _round(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    indices: Sequence[int],
    results: dict[int, Result],
    workers: int,
    bar: tqdm,
) -> list[int]:
    """Run some items in a fresh pool; return those that were lost because a process died."""
    lost = []
    others = multiprocessing.active_children()
    # Fresh processes: a fork would copy the locks of other threads.
    with ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin_process,
    ) as pool:
        try:
            futures = {index: pool.submit(function, items[index]) for index in indices}
            for future in futures.values():
                future.add_done_callback(lambda done: bar.update(not done.exception()))
            for index, future in futures.items():
                try:
                    results[index] = future.result()
                except BrokenProcessPool:
                    lost.append(index)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            # Nothing that is half done is worth waiting for: files are renamed into place.
            for process in multiprocessing.active_children():
                if process not in others:
                    process.terminate()
            raise
    return lost


def _begin_process() -> None:
    """Leave Ctrl-C to the parent, and end with it, however it ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        # A pool whose parent was killed would wait for work for ever: it holds its own queue open.
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def available_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
