"""One part in its process: python -m benchmarks.run_part NAME SCALE FOLDER FILE."""

from __future__ import annotations

import importlib
import sys
import time
from pathlib import Path

from mashnet.files import write_json


def main(arguments: list[str]) -> None:
    """Measure a part and write its rows."""
    name, scale, folder, file = arguments
    part = importlib.import_module(f"benchmarks.parts.{name}")
    began_s = time.perf_counter()
    rows = part.measure_part(scale, Path(folder))
    minutes = round((time.perf_counter() - began_s) / 60, 2)
    write_json(Path(file), {"part": name, "scale": scale, "minutes": minutes, "rows": rows})


if __name__ == "__main__":
    main(sys.argv[1:])
