"""Worker processes that begin as copies of one that has imported all that tests ask for.

A program's workers are copies of a process that has imported what its own work needs. Tests are
many programs in one process, and only the first of them would have that: of all others each worker
would import PyTorch anew, which takes it longer than its work.
"""

from __future__ import annotations

import multiprocessing.forkserver
from collections.abc import Callable, Sequence

# By the modules of the functions that workers are given.
WORK = (
    "tests.begun_workers",
    "data_pipelines.mashupdb",
    "data_pipelines.demo",
    "data_pipelines.mixes",
    "data_pipelines.structure",
    "data_pipelines.loops",
    "mashnet.library.encoding",
    "tests.execution.test_local",
    "tests.ready_workers",
)


def naming_all_work() -> Callable[[Sequence[str]], None]:
    """Return a function to stand where `multiprocessing.forkserver.set_forkserver_preload` does."""
    named = multiprocessing.forkserver.set_forkserver_preload
    return lambda modules: named([*dict.fromkeys([WORK[0], *modules, *WORK])])
