"""Starts the processes that train together on this machine, and ends all when one has died."""

from __future__ import annotations

import logging
import os
import signal
import sys
import uuid
from collections.abc import Sequence

from mashnet.errors import MashnetError
from mashnet.execution.worker_count import available_cores
from mashnet.tasks.processes import LAUNCHER, LOST


def launch(module: str, arguments: Sequence[str], *, processes: int, advice: str) -> None:
    """Run `python -m module arguments` in some processes and wait for them.

    They are told who they are in the way of torchrun. When one of them dies the others are ended,
    after half a minute by force.

    Args:
        module: the program.
        arguments: its arguments.
        processes: how many.
        advice: what a user can do if one dies.

    Raises:
        MashnetError: if a process died.
        KeyboardInterrupt: after Ctrl-C, once all have ended.
        SystemExit: if a process ended with an error that it has told itself.
    """
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    # What it says of a failure is for people who know it; ours follows.
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        run_id=uuid.uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        local_addr="localhost",
        max_restarts=0,
    )
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, available_cores() // processes)))
    os.environ[LAUNCHER] = str(os.getpid())
    try:
        elastic_launch(config, sys.executable)("-m", module, *arguments)
    except ChildFailedError as error:
        # Others that were ended, or that lost their connection, follow the one to be named.
        followers = (LOST, -signal.SIGTERM)
        codes = {rank: failure.exitcode for rank, failure in error.failures.items()}
        rank = min(codes, key=lambda rank: (codes[rank] in followers, rank))
        if codes[rank] == 2:
            raise SystemExit(2) from None  # it has said why
        print(file=sys.stderr)  # a progress bar has left its line open
        if codes[rank] < 0:
            how = f"was ended by {signal.Signals(-codes[rank]).name}"
        else:
            how = "failed, see above"
        raise MashnetError(f"process {rank} of {processes} {how}; {advice}") from None
    except SignalException as stopped:
        if stopped.sigval == signal.SIGINT:
            raise KeyboardInterrupt(advice) from None
        raise MashnetError(f"ended by {stopped.sigval.name}; {advice}") from None
    finally:
        del os.environ[LAUNCHER]
