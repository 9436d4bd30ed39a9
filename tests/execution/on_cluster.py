"""What tests/execution/test_ray_cluster.py asks of a cluster of two nodes, one of which is lost."""

import json
import sys
import time
from pathlib import Path

import ray
from ray.cluster_utils import Cluster

from mashnet.execution.ray_cluster import RayExecutor

_ITEMS = 12
_STORE = {"object_store_memory": 80 << 20}
_LARGE_BYTES = 1 << 20  # kept on the node that made it; small results travel to who asked


def node_after_a_moment(_: int) -> str:
    time.sleep(0.2)
    return ray.get_runtime_context().get_node_id()


def large(number: int) -> bytes:
    time.sleep(0.2)
    return bytes([number]) * _LARGE_BYTES


def main() -> dict[str, object]:
    found: dict[str, object] = {}
    head = {"num_cpus": 1, "include_dashboard": False, **_STORE}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        second = cluster.add_node(num_cpus=1, **_STORE)
        cluster.wait_for_nodes()
        executor = RayExecutor(address=cluster.address)
        nodes = executor.run(node_after_a_moment, range(_ITEMS), label="x", died=str)
        found["nodes"] = len(set(nodes))
        results = executor.each(large, range(_ITEMS), died=str)
        came = [next(results)]
        time.sleep(1.0)  # some are made, and lie where they were made
        cluster.remove_node(second, allow_graceful=False)
        came += results
        found["came"] = [[one[0], len(one)] for one in came]
        nodes = executor.run(node_after_a_moment, range(2), label="x", died=str)
        found["left"] = len(set(nodes))
    finally:
        ray.shutdown()
        cluster.shutdown()
    return found


if __name__ == "__main__":
    # Ray writes to stdout whenever it likes.
    Path(sys.argv[1]).write_text(json.dumps(main()))
