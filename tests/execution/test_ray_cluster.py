"""A cluster that is reached by its address, and a node that goes away in the middle."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.long  # two nodes; test_ray.py has one
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    out = tmp_path_factory.mktemp("cluster") / "found.json"
    # Ray's processes of several nodes on one machine; a process whose sockets are not blocked.
    command = [sys.executable, "-m", "tests.execution.on_cluster", str(out)]
    result = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, check=False, timeout=280
    )
    assert result.returncode == 0, result.stderr[-3000:]
    return json.loads(out.read_text())


def test_work_is_done_on_all_nodes(found: dict[str, object]) -> None:
    assert found["nodes"] == 2


def test_a_node_that_is_lost_costs_no_item(found: dict[str, Any]) -> None:
    """Neither those that it worked on nor those whose results lay on it."""
    assert found["came"] == [[f"{number:02d}", 1 << 20] for number in range(12)]
    assert found["done"] > 12  # some were done twice: what had come of them was lost
    assert found["left"] == 1
