import operator
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mashnet.errors import MashnetError
from mashnet.execution import local
from mashnet.execution.local import LocalExecutor


def square_later(number: int) -> int:
    time.sleep(0.02 * (5 - number))  # the first to begin is the last to end
    return number * number


def one_thread(_: int) -> str:
    return os.environ.get("OMP_NUM_THREADS", "")


def killed_at_three(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def killed_once(marker: str) -> str:
    if not Path(marker).exists():
        Path(marker).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "done"


def mark(path: str) -> int:
    Path(path).touch()
    return 0


def full_at_two(number: int) -> int:
    if number == 2:
        raise OSError(28, "No space left on device", "somewhere")
    return number


def slow_or_full(number: int) -> int:
    if number == 0:
        raise OSError(28, "No space left on device", "somewhere")
    time.sleep(60)
    return number


def minus(number: int) -> int:
    return -number


def tell_and_wait(path: str) -> None:
    Path(path).write_text(str(os.getpid()))
    time.sleep(60)


def running(process: str) -> bool:
    try:
        status = (Path("/proc") / process / "stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"  # nobody may have collected its status


def run(function, items, workers):
    return LocalExecutor(workers).run(function, items, label="test", died=minus)


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_items(workers):
    assert run(square_later, range(5), workers) == [0, 1, 4, 9, 16]


def test_no_items_no_results():
    assert run(square_later, [], 2) == []


def test_a_process_that_is_killed_costs_only_its_item():
    assert run(killed_at_three, range(6), 2) == [0, 1, 2, -3, 4, 5]


def test_an_item_is_tried_once_more(tmp_path):
    markers = [str(tmp_path / str(number)) for number in range(3)]
    assert run(killed_once, markers, 2) == ["done"] * 3


def test_an_item_alone_has_a_process_of_its_own_too():
    assert run(killed_at_three, [3], 2) == [-3]


def test_work_runs_ahead_by_a_bounded_number_of_items(tmp_path):
    paths = [str(tmp_path / f"{number:03d}") for number in range(100)]
    results = LocalExecutor(2).each(mark, paths, died=str)
    for _ in range(3):
        next(results)
    time.sleep(1.0)  # what may begin has begun
    begun = len(list(tmp_path.iterdir()))
    results.close()
    assert 3 <= begun <= 3 + 16


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_ends_the_run(workers):
    with pytest.raises(OSError, match="No space left") as caught:
        run(full_at_two, range(4), workers)
    assert caught.value.filename == "somewhere"


def test_processes_use_one_thread_each_and_this_one_keeps_its_own(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert run(one_thread, range(2), 2) == ["1", "1"]
    assert os.environ["OMP_NUM_THREADS"] == "7"


def test_processes_that_cannot_start_are_no_reason_to_reject_an_item(monkeypatch):
    monkeypatch.setattr(local, "_begin_process", operator.neg)  # takes one argument, not two
    with pytest.raises(MashnetError, match="worker processes cannot be started"):
        run(square_later, range(3), 2)


def which_gpu(_: int) -> str:
    time.sleep(0.2)
    return os.environ["CUDA_VISIBLE_DEVICES"]


def test_each_worker_takes_a_whole_gpu(monkeypatch):
    monkeypatch.setattr(local, "visible_gpus", lambda: ["4", "7"])
    found = LocalExecutor(8).run(which_gpu, range(4), label="test", died=str, on_gpu=True)
    assert sorted(set(found)) == ["4", "7"]
    assert "CUDA_VISIBLE_DEVICES" not in os.environ


def test_work_that_has_begun_is_not_waited_for_after_an_error():
    began = time.monotonic()
    with pytest.raises(OSError, match="No space left"):
        run(slow_or_full, range(4), 2)
    assert time.monotonic() - began < 30


_PROGRAM = """
import sys
from tests.execution.test_local import run, tell_and_wait

if __name__ == "__main__":
    run(tell_and_wait, sys.argv[1:], 2)
"""


@pytest.fixture
def temporary() -> Iterator[Path]:
    """Return a folder whose name is short enough for sockets in it."""
    with tempfile.TemporaryDirectory(prefix="mashnet.", dir="/tmp") as name:
        yield Path(name)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_processes_end_with_a_program_that_is_killed_and_clear_up(tmp_path, temporary):
    paths = [tmp_path / name for name in "ab"]
    program = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, *map(str, paths)],
        env={**os.environ, "TMPDIR": str(temporary)},
        cwd=Path(__file__).resolve().parents[2],
    )
    deadline = time.monotonic() + 60
    while not all(path.is_file() and path.read_text() for path in paths):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert list(temporary.iterdir())  # the folder of its sockets
    program.kill()
    program.wait()
    processes = [path.read_text() for path in paths]
    while (any(map(running, processes)) or os.listdir(temporary)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(running, processes))
    assert not os.listdir(temporary)


_SQUARES = """
from tests.execution.test_local import run, square_later

if __name__ == "__main__":
    print(run(square_later, range(3), 2))
"""


def test_a_temporary_folder_with_a_long_name_is_no_hindrance(tmp_path):
    """Processes that are copies of one are reached by a socket in it, whose path has a bound."""
    long = tmp_path / ("long " * 20)
    long.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", _SQUARES],
        env={**os.environ, "TMPDIR": str(long)},
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "[0, 1, 4]\n", done.stderr[-2000:]
