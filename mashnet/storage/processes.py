"""Whether the process that a temporary file is named after still works on it."""

import os


def runs(process: str) -> bool:
    """Return whether a process of this machine, named by its number, still runs."""
    try:
        os.kill(int(process), 0)
    except (ProcessLookupError, ValueError, OverflowError):
        return False
    except PermissionError:  # it is another user's
        return True
    return True
