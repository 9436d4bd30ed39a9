"""Imports of what takes seconds to import."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def importing() -> Iterator[None]:
    """Import large libraries in such a block: nothing that they make is garbage soon.

    To look for some again and again takes a quarter of the time that torch and Lightning take.
    """
    looking = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if looking:
            gc.enable()
