"""Imports of what numba compiles, by one process at a time (its cache on disk is not locked).

Parts of librosa are compiled when they are imported, and what comes out is kept on the disk. Two
processes that do so at the same moment mix up what is kept, and from then on every process crashes
on it (numba, issue 10128).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock

_MOST_S = 300.0  # compiling takes half a minute


@contextlib.contextmanager
def compiling_alone() -> Iterator[None]:
    """Let no other process of this user into such a block; parts of librosa are imported in it.

    librosa imports its parts when they are first used: those that a module will use must be named,
    `librosa.util.utils` among them, which most of the others use.

    Where no file can be made for the lock, or it is held for minutes, nothing is waited for.
    """
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError, NotImplementedError, RuntimeError):
            folder = Path.home() / ".cache" / "mashnet"
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(FileLock(folder / "compiling.lock", timeout=_MOST_S))
        yield
