"""Work on the cores of this machine."""

from __future__ import annotations

import multiprocessing
import multiprocessing.util
import os
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any
from unittest import mock

from mashnet.errors import MashnetError
from mashnet.execution.executor import (
    Executor,
    Item,
    Result,
    Work,
    in_one_thread,
    in_order,
)
from mashnet.execution.worker_count import workers_that_fit

# Results that wait for one that takes long, per worker: with fewer, workers stand still.
_AHEAD = 8
_WORTH_PROCESSES = 16  # items
_LONGEST_TMPDIR = 70  # bytes: the socket in it may have a path of about 104
_SMALL_GB = 0.5  # decoding, stretching or encoding one stem
WORKER_GB = 2.0  # Demucs at work on a minute of sound, and what holds it (docs/performance.md)
# Before libraries are loaded: threads that were started would only wait.
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class LocalExecutor(Executor):
    """Processes of their own, one core each; a single worker stays in this process."""

    def __init__(self, workers: int = 0, *, memory_gb: float = WORKER_GB) -> None:
        """Name the number of processes; 1 stays in this process.

        A worker that is killed costs a run nothing but its item only where it is a process of its
        own.

        Args:
            workers: 0 is one per core, and no more than fit into the memory that is free now.
            memory_gb: what one takes at most, in units of 1024³ bytes; 0: memory does not matter.
        """
        self.workers = workers or workers_that_fit(memory_gb)

    @classmethod
    def for_items(cls, count: int) -> LocalExecutor:
        """Return all cores for many small items; a few are done before processes have started."""
        return cls(0 if count >= _WORTH_PROCESSES else 1, memory_gb=_SMALL_GB)

    def _results(self, work: Work[Item, Result]) -> Iterator[Result]:
        items = work.items
        devices = visible_gpus() if work.on_gpu else []
        if self.workers == 1 or not items:
            for item in items:
                yield work.function(item) if devices else in_one_thread(work.function, item)
            return
        workers = min(len(devices) or self.workers, self.workers, len(items))
        crew = _Crew(work.function, items, workers, devices)
        try:
            yield from in_order(
                len(items),
                _AHEAD * workers,
                crew.begin,
                lambda index: crew.end(index, work.died),
            )
        finally:
            crew.close()


class _Crew:
    """A pool of processes, replaced by a new one when one of them is killed."""

    def __init__(
        self,
        function: Callable[[Any], Any],
        items: Sequence[Any],
        workers: int,
        devices: Sequence[str],
    ) -> None:
        self.function, self.items, self.workers, self.devices = function, items, workers, devices
        self.others = multiprocessing.active_children()
        self.pool = self._pool(workers)
        self.begun: dict[int, Future[Any]] = {}

    def begin(self, index: int) -> None:
        try:
            self.begun[index] = self.pool.submit(in_one_thread, self.function, self.items[index])
        except BrokenProcessPool as error:
            # A process was killed since; who waits for what it worked on puts that right.
            self.begun[index] = Future()
            self.begun[index].set_exception(error)

    def end(self, index: int, died: Callable[[Any], Any]) -> Any:
        # Not the future that was handed out: what was lost with another item has begun anew.
        if _is_lost(self.begun[index]):
            self._recover(died)
        return self.begun.pop(index).result()

    def _recover(self, died: Callable[[Any], Any]) -> None:
        """Find out on which item a process was killed, and begin anew what was lost with it."""
        self.pool.shutdown()
        lost = sorted(index for index, future in self.begun.items() if _is_lost(future))
        # Items begin in order, so those that ran when a process was killed come first.
        for index in lost[: 2 * self.workers]:
            self.begun[index] = self._alone(self.items[index], died)
        self.pool = self._pool(self.workers)
        for index in lost[2 * self.workers :]:
            self.begin(index)

    def _alone(self, item: Any, died: Callable[[Any], Any]) -> Future[Any]:
        # Twice: when the pool broke it may have been another item that a process was killed on.
        for _ in range(2):
            with self._pool(1) as alone:
                started = alone.submit(int)
                future = alone.submit(in_one_thread, self.function, item)
            if not _is_lost(future):
                return future
            if _is_lost(started):
                raise MashnetError(
                    "worker processes cannot be started, see above; a script needs "
                    '`if __name__ == "__main__":`, and workers=1 needs no processes'
                )
        future = Future()
        future.set_result(died(item))
        return future

    def _pool(self, workers: int) -> ProcessPoolExecutor:
        context = _context(self.function)
        devices = context.SimpleQueue()
        for device in self.devices[:workers]:
            devices.put(device)
        environment = {**os.environ, **({} if self.devices else _ONE_THREAD)}
        with mock.patch.dict(os.environ, environment):
            pool = ProcessPoolExecutor(
                workers,
                mp_context=context,
                initializer=_begin_process,
                initargs=(environment, devices if self.devices else None, _own_sockets(context)),
            )
            # Processes start when work comes. The first of all also start the one that they are
            # copies of, which keeps the environment of that moment.
            for _ in range(workers):
                pool.submit(int)
        return pool

    def close(self) -> None:
        """End the processes, also those that are at work: files are renamed into place."""
        self.pool.shutdown(wait=False, cancel_futures=True)
        for process in multiprocessing.active_children():
            if process not in self.others:
                process.terminate()


def _context(function: Callable[[Any], Any]) -> Any:
    """Return how processes begin: as copies of one that has imported what the function needs.

    They are not copies of this process, which may have threads that hold locks.
    """
    long = len(os.fsencode(tempfile.gettempdir())) > _LONGEST_TMPDIR
    if long or "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    # A program's own functions are in __main__, which has its real name in its specification.
    specification = getattr(sys.modules.get(function.__module__), "__spec__", None)
    context.set_forkserver_preload([specification.name] if specification else [])
    return context


def _is_lost(future: Future[Any]) -> bool:
    return isinstance(future.exception(), BrokenProcessPool)


def visible_gpus() -> list[str]:
    """Return the GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    import torch

    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if not torch.cuda.is_available():
        return []
    return named.split(",") if named else [str(i) for i in range(torch.cuda.device_count())]


def _own_sockets(context: Any) -> str:
    """Return the folder of this program's sockets, which only it removes; "" if it has none."""
    if context.get_start_method() != "forkserver" or multiprocessing.parent_process() is not None:
        return ""  # processes of a program share the program's
    return multiprocessing.util.get_temp_dir()


def _begin_process(environment: dict[str, str], devices: Any, sockets: str) -> None:
    """Leave Ctrl-C to the parent, and take a GPU if there are any.

    When the parent ends, however it ended, end with it and remove the folder of its sockets.
    """
    os.environ.clear()
    os.environ.update(environment)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if devices is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = devices.get()
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        # A pool whose parent was killed would wait for work for ever: it holds its own queue open.
        parent.join()
        if sockets:
            shutil.rmtree(sockets, ignore_errors=True)
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
