"""How many workers a machine has room for."""

from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from mashnet.execution import worker_count as room
from mashnet.execution.choice import executor_of
from mashnet.execution.local import LocalExecutor

GB = 1024**3


@pytest.fixture(autouse=True)
def sixteen_cores(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Sixteen cores, nine GB free, and no container."""
    monkeypatch.setattr(room, "available_cores", lambda: 16)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=9 * GB))
    monkeypatch.setattr(room, "_CGROUP", tmp_path)


@pytest.mark.parametrize(
    ("worker_gb", "workers"), [(2.0, 4), (0.5, 16), (0.0, 16), (8.9, 1), (100.0, 1)]
)
def test_workers_are_as_many_as_cores_and_memory_allow(worker_gb: float, workers: int) -> None:
    assert LocalExecutor(memory_gb=worker_gb).workers == workers
    settings = {"workers": 0, "executor": {"name": "local", "memory_gb": worker_gb}}
    found = executor_of(settings)
    assert isinstance(found, LocalExecutor) and found.workers == workers


def test_a_number_that_is_named_is_obeyed() -> None:
    assert LocalExecutor(12, memory_gb=2.0).workers == 12


def test_a_containers_bound_counts_and_one_without_a_bound_does_not(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text(f"{3 * GB}\n")
    (tmp_path / "memory.stat").write_text(
        f"anon {GB}\nfile {2 * GB}\nactive_file {GB}\ninactive_file {GB}\n"
    )
    assert room.free_gb() == 9
    (tmp_path / "memory.max").write_text(f"{7 * GB}\n")
    assert room.free_gb() == 6
    assert room.workers_that_fit(2.0) == 3
    (tmp_path / "memory.max").write_text(f"{GB // 2}\n")
    assert room.free_gb() == 0
    assert room.workers_that_fit(2.0) == 1
