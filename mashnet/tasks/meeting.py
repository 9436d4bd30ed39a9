"""How the processes of a run are started, counted, and meet before they train together.

Who starts them: `mashnet.tasks.launching` on one machine, torchrun or SLURM on several. All are
found by Lightning's names for them, and each knows its number (rank) when it begins.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from pytorch_lightning.plugins.environments import (
    ClusterEnvironment,
    SLURMEnvironment,
    TorchElasticEnvironment,
)
from torch import distributed

from mashnet.errors import ConfigError
from mashnet.tasks.processes import ALONE, LAUNCHER, Processes

_PREPARING = datetime.timedelta(days=2)  # how long others wait for who prepares the data


def started_by() -> ClusterEnvironment | None:
    """Return what started this process as one of several, if something did."""
    if TorchElasticEnvironment.detect():
        return TorchElasticEnvironment()
    if SLURMEnvironment.detect():
        return SLURMEnvironment(auto_requeue=False)  # a run goes on by resume=
    return None


def processes_to_start(settings: Mapping[str, Any]) -> int:
    """Return how many processes are to be started on this machine; 1 if they have been.

    Args:
        settings: the trainer's; without `devices` it is one.

    Raises:
        ConfigError: if the number must be named, makes no sense, or others must start them.
    """
    if "devices" not in settings or started_by() is not None:
        return 1
    if settings["num_nodes"] not in ("auto", 1):
        raise ConfigError(
            f"trainer.num_nodes={settings['num_nodes']}: start training on every machine, by "
            "torchrun or srun; docs/several_devices.md says how"
        )
    wanted = settings["devices"]
    if wanted == "auto":
        gpu = settings["accelerator"] != "cpu" and torch.cuda.is_available()
        if not gpu:
            raise ConfigError("without a GPU name the number of processes: trainer.devices=2")
        return torch.cuda.device_count()
    if not isinstance(wanted, int) or isinstance(wanted, bool) or wanted < 1:
        raise ConfigError(f"trainer.devices={wanted} must be auto or a number from 1")
    return wanted


@contextlib.contextmanager
def joined(settings: Mapping[str, Any]) -> Iterator[Processes]:
    """Meet the other processes of the run, if something started several; part at a good end.

    Args:
        settings: the trainer's: accelerator, and with trainer=ddp devices, num_nodes, timeout_s.

    Raises:
        ConfigError: if the settings contradict what was started.
    """
    environment = started_by()
    if environment is None or (environment.world_size() == 1 and "devices" not in settings):
        yield ALONE
        return
    if "devices" not in settings:
        if isinstance(environment, SLURMEnvironment):  # Lightning has its say on it
            yield ALONE
            return
        raise ConfigError(
            f"{environment.world_size()} processes were started: let them train together by "
            "adding trainer=ddp"
        )
    processes = _meet(environment, settings)
    yield processes
    if processes.size > 1:
        distributed.destroy_process_group()


def _meet(environment: ClusterEnvironment, settings: Mapping[str, Any]) -> Processes:
    size, per_machine = environment.world_size(), _per_machine()
    machines = size // per_machine
    for name, wanted, found in (
        ("devices", settings["devices"], per_machine),
        ("num_nodes", settings["num_nodes"], machines),
    ):
        if wanted not in ("auto", found):
            raise ConfigError(f"trainer.{name}={wanted}, but {found} were started: name {found}")
    if size == 1:
        return ALONE
    if launcher := os.environ.get(LAUNCHER):
        _end_with(int(launcher))
    local_rank = environment.local_rank()
    gpu = settings["accelerator"] != "cpu" and torch.cuda.is_available()
    if gpu:
        torch.cuda.set_device(local_rank)
    os.environ["MASTER_ADDR"] = environment.main_address
    os.environ["MASTER_PORT"] = str(environment.main_port)
    distributed.init_process_group(
        "nccl" if gpu else "gloo",
        rank=environment.global_rank(),
        world_size=size,
        timeout=datetime.timedelta(seconds=settings["timeout_s"]),
        device_id=torch.device("cuda", local_rank) if gpu else None,
    )
    return Processes(
        rank=environment.global_rank(),
        per_machine=per_machine,
        machines=machines,
        local_rank=local_rank,
        environment=environment,
        talk=distributed.new_group(backend="gloo", timeout=_PREPARING),
    )


def _per_machine() -> int:
    if TorchElasticEnvironment.detect():
        return int(os.environ["LOCAL_WORLD_SIZE"])
    return int(os.environ["SLURM_NTASKS"]) // int(os.environ.get("SLURM_NNODES", "1"))


def _end_with(launcher: int) -> None:
    """End this process when the one that started it is gone, as by SIGKILL."""

    def watch() -> None:
        while os.getppid() == launcher:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
