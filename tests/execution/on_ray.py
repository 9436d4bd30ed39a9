"""What tests/execution/test_ray.py asks of Ray, in a process whose sockets are not blocked."""

import json
import sys
import time
from pathlib import Path

from mashnet.errors import ConfigError
from mashnet.execution.ray_cluster import RayExecutor
from tests.execution.test_local import (
    full_at_two,
    killed_at_three,
    killed_once,
    mark,
    minus,
    one_thread,
    square_later,
)


def main(folder: Path) -> dict[str, object]:
    found: dict[str, object] = {}
    try:
        RayExecutor(2, address="127.0.0.1:1").run(square_later, range(2), label="x", died=minus)
    except ConfigError as error:
        found["no cluster"] = str(error)
    try:
        RayExecutor(2, memory_gb=1e6).run(square_later, range(2), label="x", died=minus)
    except ConfigError as error:
        found["no room"] = str(error)
    executor = RayExecutor(2, memory_gb=0.1)
    found["squares"] = executor.run(square_later, range(5), label="x", died=minus)
    found["nothing"] = executor.run(square_later, [], label="x", died=minus)
    found["killed"] = executor.run(killed_at_three, range(6), label="x", died=minus)
    markers = [str(folder / f"marker {number}") for number in range(3)]
    found["killed once"] = executor.run(killed_once, markers, label="x", died=str)
    found["threads"] = executor.run(one_thread, range(2), label="x", died=str)
    try:
        executor.run(full_at_two, range(4), label="x", died=minus)
    except OSError as error:
        found["error"] = [error.errno, error.filename]
    paths = [str(folder / f"{number:03d}") for number in range(100)]
    results = executor.each(mark, paths, died=str)
    next(results)
    time.sleep(2.0)  # what may begin has begun
    found["begun"] = len(list(folder.glob("0*")))
    results.close()
    return found


if __name__ == "__main__":
    # Ray writes to stdout whenever it likes.
    (Path(sys.argv[1]) / "found.json").write_text(json.dumps(main(Path(sys.argv[1]))))
