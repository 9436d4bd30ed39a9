"""From a stage's settings to the executor that does its work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mashnet.errors import ConfigError, require_one_of
from mashnet.execution.executor import Executor
from mashnet.execution.local import LocalExecutor
from mashnet.execution.ray_cluster import RayExecutor

NAMES = ("local", "ray")


def executor_of(settings: Mapping[str, Any]) -> Executor:
    """Return the executor that a stage's settings name.

    Args:
        settings: `workers` and `executor` (configs/pipeline/executor).

    Raises:
        ConfigError: if a setting makes no sense, or Ray is asked for and not installed.
    """
    workers, executor = settings["workers"], settings["executor"]
    memory_gb = executor["memory_gb"]
    if workers < 0:
        raise ConfigError(f"workers={workers} must be 0 (one per core) or a count")
    if memory_gb < 0:
        raise ConfigError(f"executor.memory_gb={memory_gb} must not be negative")
    if require_one_of("executor", executor["name"], NAMES) == "local":
        return LocalExecutor(workers, memory_gb=memory_gb)
    return RayExecutor(workers, address=executor["address"], memory_gb=memory_gb)
