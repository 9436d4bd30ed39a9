"""Work on a Ray cluster, or on a Ray that is started on this machine for the run."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Iterator
from typing import Any

from mashnet.errors import ConfigError
from mashnet.execution.executor import (
    Executor,
    Item,
    Result,
    Work,
    in_one_thread,
    in_order,
)
from mashnet.execution.worker_count import available_cores
from mashnet.extras import advice

_AHEAD = 8  # items per worker that may have begun and not been taken
_KNOCK_S = 10
_OBJECT_STORE_BYTES = 256 * 1024**2  # of a Ray of our own: results are rows, sounds go to files


class RayExecutor(Executor):
    """Ray tasks, one core each or one whole GPU each (Moritz et al., Ray, OSDI 2018)."""

    def __init__(
        self, workers: int = 0, *, address: str | None = None, memory_gb: float = 0.0
    ) -> None:
        """Say where Ray is and how much of it is wanted; it is started when there is work.

        Args:
            workers: tasks at the same time; 0 is as many as there are cores in the cluster.
            address: of a running cluster (`auto`, host:port or ray://host:port); None starts Ray
                on this machine and ends it with this process.
            memory_gb: what a task is expected to need at most; on a node no more tasks run at the
                same time than its memory holds. 0 leaves that to the number of cores.

        Raises:
            ConfigError: if Ray is not installed.
        """
        try:
            import ray  # noqa: F401
        except ModuleNotFoundError as error:
            raise ConfigError(f"executor=ray needs Ray; get it: {advice('cluster')}") from error
        self.workers, self.address, self.memory_gb = workers, address, memory_gb

    def _results(self, work: Work[Item, Result]) -> Iterator[Result]:
        items = work.items
        if not items:
            return
        import ray

        self._connect()
        resources = ray.cluster_resources()
        gpus = int(resources.get("GPU", 0)) if work.on_gpu else 0
        offered = gpus or max(1, int(resources.get("CPU", 1)))
        workers = min(self.workers or offered, offered)
        # A Ray of our own has as many cores as workers are wanted; a cluster has its own.
        ahead = workers if self.address and self.workers else _AHEAD * workers
        settings: dict[str, Any] = {"num_cpus": 1, "num_gpus": 1 if gpus else 0}
        if self.memory_gb:
            settings["memory"] = int(self.memory_gb * 1024**3)
        # A retry is asked for here, so that both executors retry the same number of times.
        self._require_room(settings)
        task: Any = ray.remote(_in_folder).options(max_retries=0, **settings)
        folder = os.getcwd()
        begun: dict[int, Any] = {}

        def begin(index: int) -> None:
            begun[index] = task.remote(folder, work.function, items[index])

        def end(index: int) -> Any:
            try:
                result = _result(begun[index])
            except _WorkerDiedError:
                begin(index)
                try:
                    result = _result(begun[index])
                except _WorkerDiedError:
                    result = work.died(items[index])
            del begun[index]
            return result

        try:
            yield from in_order(len(items), ahead, begin, end)
        finally:
            for reference in begun.values():
                ray.cancel(reference, force=True)

    def _require_room(self, settings: dict[str, Any]) -> None:
        """Raise a ConfigError where no node is large enough: Ray would wait for one for ever."""
        import ray

        names = {"num_cpus": "CPU", "num_gpus": "GPU", "memory": "memory"}
        wanted = {names[name]: amount for name, amount in settings.items()}
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        if not any(all(node.get(n, 0) >= a for n, a in wanted.items()) for node in nodes):
            largest = max((node.get("memory", 0) for node in nodes), default=0) / 1024**3
            raise ConfigError(
                f"no machine of the Ray cluster has a core and executor.memory_gb="
                f"{self.memory_gb:g} to give; the largest gives {largest:.1f} GB"
            )

    def _connect(self) -> None:
        import ray

        if ray.is_initialized():
            return
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent to anybody
        if self.address is None:
            ray.init(
                address="local",
                num_cpus=self.workers or available_cores(),
                object_store_memory=_OBJECT_STORE_BYTES,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
            return
        try:
            _knock(self.address)
            ray.init(address=self.address, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, OSError, RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())[:200]
            raise ConfigError(
                f"executor.address={self.address}: there is no Ray cluster to be reached "
                f"({reason}). Start one with: ray start --head"
            ) from error


def _in_folder(folder: str, function: Callable[[Item], Result], item: Item) -> Result:
    """Apply a function on one core, in the folder that relative names are meant from."""
    try:
        os.chdir(folder)
    except OSError as error:
        raise ConfigError(
            f"{os.uname().nodename} has no folder {folder}: start the command in a folder that "
            "all machines of the cluster see"
        ) from error
    return in_one_thread(function, item)


def _knock(address: str) -> None:
    """Raise an OSError if nobody listens there: Ray itself would go on trying for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=_KNOCK_S).close()


class _WorkerDiedError(Exception):
    """The process or the machine that worked on a task is gone."""


def _result(reference: Any) -> Any:
    import ray
    from ray import exceptions

    try:
        return ray.get(reference)
    except exceptions.RayTaskError as error:
        raise error.cause from None  # what the function raised
    except (
        exceptions.WorkerCrashedError,
        exceptions.OutOfMemoryError,
        exceptions.NodeDiedError,
        exceptions.LocalRayletDiedError,
        exceptions.ObjectLostError,  # what it found was on a machine that is gone
    ) as error:
        raise _WorkerDiedError from error
