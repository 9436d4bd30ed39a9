import os
import signal
import time

import pytest

from data_pipelines.executor import run_all


def square_later(number: int) -> int:
    time.sleep(0.02 * (5 - number))  # the first to begin is the last to end
    return number * number


def one_thread(_: int) -> str:
    return os.environ.get("OMP_NUM_THREADS", "")


def killed_at_three(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


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


def run(function, items, workers):
    return run_all(function, items, workers=workers, label="test", died=minus)


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_items(workers):
    assert run(square_later, range(5), workers) == [0, 1, 4, 9, 16]


def test_no_items_no_results():
    assert run(square_later, [], 2) == []


def test_a_process_that_is_killed_costs_only_its_item():
    assert run(killed_at_three, range(6), 2) == [0, 1, 2, -3, 4, 5]


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_ends_the_run(workers):
    with pytest.raises(OSError, match="No space left") as caught:
        run(full_at_two, range(4), workers)
    assert caught.value.filename == "somewhere"


def test_processes_use_one_thread_each_and_this_one_keeps_its_own(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert run(one_thread, range(2), 2) == ["1", "1"]
    assert os.environ["OMP_NUM_THREADS"] == "7"


def test_work_that_has_begun_is_not_waited_for_after_an_error():
    began = time.monotonic()
    with pytest.raises(OSError, match="No space left"):
        run(slow_or_full, range(4), 2)
    assert time.monotonic() - began < 30
