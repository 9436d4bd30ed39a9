"""Two processes never compile at the same moment."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mashnet.audio.compiling import compiling_alone

_INSIDE = """
import sys, time
from pathlib import Path
from mashnet.audio.compiling import compiling_alone

with compiling_alone():
    Path(sys.argv[1]).mkdir()  # fails where another process is inside
    time.sleep(0.3)
    Path(sys.argv[1]).rmdir()
"""


def test_one_process_is_inside_at_a_time(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _INSIDE, str(tmp_path / "inside")]
    environment = {**os.environ, "MASHNET_CACHE": str(tmp_path / "cache")}
    processes = [subprocess.Popen(command, env=environment) for _ in range(3)]
    assert [process.wait(timeout=60) for process in processes] == [0, 0, 0]


def test_a_killed_process_keeps_nobody_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASHNET_CACHE", str(tmp_path / "cache"))
    inside = tmp_path / "inside"
    process = subprocess.Popen([sys.executable, "-c", _INSIDE, str(inside)])
    deadline = time.monotonic() + 60
    while not inside.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.kill()
    process.wait()
    with compiling_alone():
        pass


def test_without_a_place_for_the_lock_nothing_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("MASHNET_CACHE", str(tmp_path / "file"))
    with compiling_alone():
        pass
