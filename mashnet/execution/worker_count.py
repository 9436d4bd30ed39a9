"""How many workers a machine can run: by its cores and its free memory."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import psutil

_CGROUP = Path("/sys/fs/cgroup")  # of a container with control groups of version 2 of its own
_GB = 1024**3


def free_gb() -> float:
    """Return how much memory this process may still take, in units of 1024³ bytes."""
    free = psutil.virtual_memory().available
    # Not on Linux, or there is no bound ("max").
    with contextlib.suppress(OSError, ValueError, KeyError):
        most = int((_CGROUP / "memory.max").read_text())
        held = int((_CGROUP / "memory.current").read_text())
        kinds = dict(line.split() for line in (_CGROUP / "memory.stat").read_text().splitlines())
        # Files that were read stay in memory until somebody needs the room.
        cached = int(kinds["active_file"]) + int(kinds["inactive_file"])
        free = min(free, most - held + cached)
    return max(0, free) / _GB


def workers_that_fit(worker_gb: float) -> int:
    """Return how many workers this machine's cores and free memory allow, at least one.

    Args:
        worker_gb: what one takes at most, in units of 1024³ bytes; 0: memory does not matter.
    """
    cores = available_cores()
    return min(cores, max(1, int(free_gb() / worker_gb))) if worker_gb else cores


def available_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
