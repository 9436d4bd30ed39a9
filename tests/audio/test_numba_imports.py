"""Two processes never compile at the same moment, and nothing compiles outside."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mashnet.audio.numba_imports import compiling_alone

_INSIDE = """
import sys, time
from pathlib import Path
from mashnet.audio.numba_imports import compiling_alone

with compiling_alone():
    Path(sys.argv[1]).mkdir()  # fails where another process is inside
    time.sleep(0.3)
    Path(sys.argv[1]).rmdir()
"""


def test_one_process_is_inside_at_a_time(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _INSIDE, str(tmp_path / "inside")]
    environment = {**os.environ, "HOME": str(tmp_path)}
    processes = [subprocess.Popen(command, env=environment) for _ in range(3)]
    assert [process.wait(timeout=60) for process in processes] == [0, 0, 0]


def test_a_killed_process_keeps_nobody_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
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
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    entered = 0
    for _ in range(2):
        with compiling_alone(), compiling_alone():  # with a lock the inner one would wait
            entered += 1
    assert entered == 2
    assert [path.name for path in tmp_path.rglob("*")] == ["file"]


_USED = """
import sys
import numpy as np
from {module} import {function}
compiling = {{"util.utils", "core.audio", "core.pitch", "beat"}}
before = {{name for name in compiling if f"librosa.{{name}}" in sys.modules}}
sound = np.random.default_rng(0).standard_normal(4 * 22050).astype(np.float32)
{call}
after = {{name for name in compiling if f"librosa.{{name}}" in sys.modules}}
assert after == before, after - before
"""


@pytest.mark.parametrize(
    ("module", "function", "call"),
    [
        ("data_pipelines.loops.kinds", "kind_by_sound", "kind_by_sound(sound)"),
        (
            "mashnet.evaluation.mashup_measures.onset_grid",
            "onset_times_s",
            "onset_times_s(sound, 22050)",
        ),
    ],
)
def test_what_compiles_is_imported_in_the_block(module: str, function: str, call: str) -> None:
    """Not when it is first used, which several workers do at the same moment."""
    program = _USED.format(module=module, function=function, call=call)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
