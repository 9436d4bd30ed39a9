"""The processes that train together: how they agree, and put together what each found.

`mashnet.tasks.meeting` says how they find each other.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from pytorch_lightning.plugins.environments import ClusterEnvironment
from pytorch_lightning.strategies import DDPStrategy
from torch import distributed

from mashnet.data.epoch_order import Share
from mashnet.errors import MashnetError, disk_error

LAUNCHER = "MASHNET_LAUNCHER"  # environment variable: process id of `mashnet.tasks.launching`
LOST = 3  # exit status of a process that has lost another
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
