"""The server of a listening test as a function; imported by the process that forks its runs."""

from __future__ import annotations

import os
import time
from pathlib import Path

from mashnet.listening.server import serve


def serving(folder: str, port: int) -> None:
    """Serve a test until killed."""
    serve(Path(folder), host="127.0.0.1", port=port)


_write = os.write


def _in_two_halves(file: int, data: bytes) -> int:
    """Write as slowly as a disk may: a kill can fall into the middle of a line."""
    written = _write(file, data[: len(data) // 2])
    time.sleep(0.003)
    return written + _write(file, data[len(data) // 2 :])


os.write = _in_two_halves
