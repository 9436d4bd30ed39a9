"""The processes that train together: how they meet, agree, and put together what each found.

Who starts them: `mashnet.tasks.launching` on one machine, torchrun or SLURM on several. All are
found by Lightning's names for them, and each knows its number (rank) when it begins.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from pytorch_lightning.plugins.environments import (
    ClusterEnvironment,
    SLURMEnvironment,
    TorchElasticEnvironment,
)
from pytorch_lightning.strategies import DDPStrategy
from torch import distributed

from mashnet.data.order import Share
from mashnet.errors import ConfigError, MashnetError, disk_error

LAUNCHER = "MASHNET_LAUNCHER"  # environment variable: process id of `mashnet.tasks.launching`
LOST = 3  # exit status of a process that has lost another
_PREPARING = datetime.timedelta(days=2)  # how long others wait for who prepares the data
_TURNS = 3

T = TypeVar("T")


@dataclass(frozen=True)
class Processes:
    """Those that train together, seen from one of them; by default there is no other.

    Attributes:
        rank: number of this one, from 0.
        per_machine: how many on each machine.
        machines: how many machines.
        local_rank: number of this one on its machine.
        environment: what started them.
        talk: the group through which they agree before the first step.
    """

    rank: int = 0
    per_machine: int = 1
    machines: int = 1
    local_rank: int = 0
    environment: ClusterEnvironment | None = None
    talk: Any = None

    @property
    def size(self) -> int:
        """How many there are."""
        return self.per_machine * self.machines

    @property
    def share(self) -> Share:
        """What of the examples is for this one."""
        return Share(self.rank, self.size)

    def decide(self, choose: Callable[[], T]) -> T:
        """Return what the first process chooses; the others do not choose.

        Raises:
            MashnetError: in the first process, if that raised one; the others end quietly.
        """
        found: list[Any] = []

        def first() -> None:
            if self.rank == 0:
                found.append(choose())

        self._all_do(first)
        if self.size > 1:
            box = found or [None]
            distributed.broadcast_object_list(box, src=0, group=self.talk)
            return box[0]
        return found[0]

    def in_turn(self, work: Callable[[], T]) -> T:
        """Do what may fill caches: the first process, then one per machine, then the others.

        Who comes later finds done what an earlier one did on a disk that both see.

        Raises:
            MashnetError: in the first process, if work raised one anywhere; the others end
                quietly.
        """
        own = 0 if self.rank == 0 else 1 if self.local_rank == 0 else 2
        found: list[T] = []
        for turn in range(_TURNS if self.size > 1 else 1):
            self._all_do(lambda turn=turn: found.append(work()) if turn == own else None)  # type: ignore[misc]
        return found[0]

    def _all_do(self, work: Callable[[], None]) -> None:
        """Work, wait for the others, and end all if one met an error that a user can mend."""
        if self.size == 1:
            return work()
        problem: MashnetError | None = None
        try:
            work()
        except MashnetError as error:
            problem = error
        except OSError as error:
            problem = disk_error(error, "the data")
        problems: list[Any] = [None] * self.size
        distributed.all_gather_object(problems, problem, group=self.talk)
        for found in problems:
            if found is not None:
                raise found if self.rank == 0 else SystemExit(2)

    def trainer_settings(self, settings: Mapping[str, Any], *, gpu: bool) -> dict[str, Any]:
        """Return what Lightning's Trainer must know of them."""
        if self.size == 1:
            return {"devices": 1}
        # Batch normalisation keeps buffers equal by itself; without broadcasting them, processes
        # may validate at their own pace.
        strategy = DDPStrategy(
            broadcast_buffers=False,
            timeout=datetime.timedelta(seconds=settings["timeout_s"]),
        )
        return {
            "devices": self.per_machine,
            "num_nodes": self.machines,
            "strategy": strategy,
            "plugins": [self.environment],
            "use_distributed_sampler": False,
            "sync_batchnorm": gpu,
        }


ALONE = Processes()


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


def gathered(rows: torch.Tensor) -> torch.Tensor:
    """Put the rows of all processes below each other; they may have different numbers of them.

    Args:
        rows: (n, …), on the CPU; not differentiated.
    """
    if not distributed.is_initialized() or distributed.get_world_size() == 1:
        return rows
    everybody: list[Any] = [None] * distributed.get_world_size()
    distributed.all_gather_object(everybody, rows)
    return torch.cat(everybody)


@contextlib.contextmanager
def said_for_one(processes: Processes, advice: str) -> Iterator[None]:
    """End in words when another process is gone, and leave it to the first to speak for all.

    Args:
        processes: those that train.
        advice: the command that goes on with the run.

    Raises:
        MashnetError: if another process is gone, with the advice.
        SystemExit: instead, where `mashnet.tasks.launching` says it.
    """
    told = LAUNCHER in os.environ
    try:
        yield
    except KeyboardInterrupt:
        if not told:
            raise
        raise SystemExit(130) from None
    except MashnetError as error:
        if processes.rank == 0:
            raise
        raise MashnetError(f"process {processes.rank}: {error}") from error
    except RuntimeError as error:
        if processes.size == 1 or not _lost_another(error):
            raise
        if told:
            # The launcher names the process that died; where none did, this is all that is known.
            said = " ".join(str(error).split())[:300]
            print(f"process {processes.rank} has lost another: {said}", file=sys.stderr)
            raise SystemExit(LOST) from None
        raise MashnetError(
            f"process {processes.rank} has lost another, or waited too long for it; go on with: "
            f"{advice}"
        ) from None


def _lost_another(error: RuntimeError) -> bool:
    text = str(error).lower()
    signs = ("gloo", "nccl", "connection closed by peer", "connection reset")
    return isinstance(error, distributed.DistError) or any(sign in text for sign in signs)
