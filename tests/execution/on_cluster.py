"""What tests/execution/test_ray_cluster.py asks of a cluster of two nodes, one of which is lost."""

import json
import sys
import time
import uuid
from pathlib import Path

import ray
from ray.cluster_utils import Cluster

from mashnet.execution.ray_cluster import RayExecutor

_ITEMS = 12
_STORE = {"object_store_memory": 80 << 20}
_LARGE_BYTES = 1 << 19  # kept on the node that made it; small results travel to who asked


def node_after_a_moment(_: int) -> str:
    time.sleep(0.2)
    return ray.get_runtime_context().get_node_id()


def large(marker: str) -> bytes:
    """Leave a mark for every time that this is done."""
    time.sleep(0.2)
    Path(f"{marker} {uuid.uuid4()}").touch()
    return marker[-2:].encode() * _LARGE_BYTES


def main(folder: Path) -> dict[str, object]:
    found: dict[str, object] = {}
    head = {"num_cpus": 1, "include_dashboard": False, **_STORE}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        second = cluster.add_node(num_cpus=1, **_STORE)
        cluster.wait_for_nodes()
        executor = RayExecutor(address=cluster.address)
        nodes: set[str] = set()
        deadline = time.monotonic() + 120
        while len(nodes) < 2 and time.monotonic() < deadline:  # its processes take their time
            nodes |= set(executor.run(node_after_a_moment, range(4), label="x", died=str))
        found["nodes"] = len(nodes)
        markers = [str(folder / f"{number:02d}") for number in range(_ITEMS)]
        results = executor.each(large, markers, died=str)
        came = [next(results)]
        time.sleep(2.0)  # many are made, and lie where they were made
        cluster.remove_node(second, allow_graceful=False)
        came += results
        found["came"] = [[one[:2].decode(), len(one)] for one in came]
        found["done"] = len(list(folder.iterdir()))
        nodes = set(executor.run(node_after_a_moment, range(2), label="x", died=str))
        found["left"] = len(nodes)
    finally:
        ray.shutdown()
        cluster.shutdown()
    return found


if __name__ == "__main__":
    # Ray writes to stdout whenever it likes.
    (marks := Path(sys.argv[1]).with_name("marks")).mkdir()
    Path(sys.argv[1]).write_text(json.dumps(main(marks)))
