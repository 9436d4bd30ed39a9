"""How a program that cannot go on ends: one line on stderr and an exit status."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from mashnet.errors import DISK_ADVICE, MashnetError, disk_error, printable
from mashnet.extras import lacking


@contextlib.contextmanager
def ending_in_one_line(interrupted: str) -> Iterator[None]:
    """End the program with one line on stderr: status 2 for what a user can mend, 130 for Ctrl-C.

    Args:
        interrupted: what to tell who stopped it.
    """
    try:
        yield
    except KeyboardInterrupt as interrupt:
        print(f"\ninterrupted; {str(interrupt) or interrupted}", file=sys.stderr)
        sys.exit(130)
    except MashnetError as error:
        print(f"error: {printable(str(error))}", file=sys.stderr)
    except ModuleNotFoundError as error:
        known = lacking(error)
        if known is None:
            raise
        print(f"error: {known}", file=sys.stderr)
    except OSError as error:
        if error.errno not in DISK_ADVICE or error.filename is None:
            raise
        print(f"error: {printable(str(disk_error(error, '')))}", file=sys.stderr)
    else:
        return
    sys.exit(2)
