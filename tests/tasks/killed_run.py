"""A training run that dies in the middle, as by a power cut."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = (
    "import json, sys; from pathlib import Path; from mashnet.tasks.fit import fit;"
    "fit(Path(sys.argv[1]), json.loads(sys.argv[2]))"
)


def train_until_killed(run: Path, config: dict[str, Any]) -> None:
    """Train in a process of its own and kill that once there is a checkpoint to go on from."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(run), json.dumps(config)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    checkpoint = run / "checkpoints" / "last.ckpt"
    deadline = time.monotonic() + 240  # for a busy machine
    while not checkpoint.is_file() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert checkpoint.is_file()
