"""Ray does what the executor of one machine does; a Ray is started once for all of it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mashnet.errors import ConfigError
from mashnet.execution.choice import executor_of
from mashnet.execution.local import LocalExecutor
from mashnet.execution.ray_cluster import RayExecutor

ROOT = Path(__file__).resolve().parents[2]
LOCAL = {"name": "local", "memory_gb": 2.0}
RAY = {"name": "ray", "address": None, "memory_gb": 0.0}


pytestmark = pytest.mark.long  # starts a Ray; test_local.py asks the other executor the same


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> dict[str, object]:
    folder = tmp_path_factory.mktemp("ray")
    command = [sys.executable, "-m", "tests.execution.on_ray", str(folder)]
    result = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, check=False, timeout=280
    )
    assert result.returncode == 0, result.stderr[-3000:]
    return json.loads((folder / "found.json").read_text())


def test_results_come_in_the_order_of_the_items(found):
    assert found["squares"] == [0, 1, 4, 9, 16] and found["nothing"] == []


def test_a_worker_that_is_killed_costs_its_item_one_retry(found):
    assert found["killed once"] == ["done"] * 3
    assert found["killed"] == [0, 1, 2, -3, 4, 5]


def test_an_error_of_the_work_is_raised_as_it_is(found):
    assert found["error"] == [28, "somewhere"]


def test_tasks_use_one_thread_each(found):
    assert found["threads"] == ["1", "1"]


def test_work_runs_ahead_by_a_bounded_number_of_items(found):
    assert 1 <= found["begun"] <= 1 + 16


def test_a_cluster_that_is_not_there_is_named(found):
    assert "executor.address=127.0.0.1:1" in found["no cluster"]
    assert "ray start --head" in found["no cluster"]


def test_a_task_larger_than_every_machine_is_refused(found):
    assert (
        "no machine of the Ray cluster has a core and executor.memory_gb=1e+06"
        in (found["no room"])
    )


@pytest.mark.parametrize("settings", [LOCAL, RAY])
def test_settings_choose_the_executor(settings):
    kind = {"local": LocalExecutor, "ray": RayExecutor}[settings["name"]]
    executor = executor_of({"workers": 3, "executor": settings})
    assert isinstance(executor, kind) and executor.workers == 3


@pytest.mark.parametrize(
    ("workers", "change", "message"),
    [
        (-1, {}, "workers=-1"),
        (0, {"name": "rya"}, "Did you mean 'ray'"),
        (0, {"memory_gb": -1.0}, "memory_gb=-1.0"),
    ],
)
def test_wrong_settings_are_named(workers, change, message):
    with pytest.raises(ConfigError, match=message):
        executor_of({"workers": workers, "executor": RAY | change})


def test_without_ray_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match="mashnet.cluster."):
        executor_of({"workers": 0, "executor": RAY})
