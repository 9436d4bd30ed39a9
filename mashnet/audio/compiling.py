"""Importing what numba compiles, one process at a time.

Parts of librosa are compiled when they are imported, and what comes out is kept on the disk. Two
processes that do so at the same moment mix up what is kept, and from then on every process crashes
on it (numba, issue 10128).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock


@contextlib.contextmanager
def compiling_alone() -> Iterator[None]:
    """Let no other process of this user into such a block; parts of librosa are imported in it.

    Where no file can be made for the lock, nothing is waited for.
    """
    folder = Path(os.environ.get("MASHNET_CACHE") or "~/.cache/mashnet").expanduser()
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError, NotImplementedError):
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(FileLock(folder / "compiling.lock"))
        yield
