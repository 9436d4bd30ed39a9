"""How this program was called, so that messages name commands that can be pasted."""

from __future__ import annotations

import os
import shlex

# Set by the command `mashnet`, and seen by the processes that it starts.
CALLED_BY = "MASHNET_CALLED_BY"


def program(name: str) -> str:
    """Return what to type for one of the two programs that also lie beside the source.

    Args:
        name: train or evaluate.
    """
    return f"mashnet {name}" if os.environ.get(CALLED_BY) == "mashnet" else f"python {name}.py"


def setting(name: str, value: object) -> str:
    """Return key=value as it is pasted into a shell: quoted where the value needs it.

    >>> setting("db", "data/AC DC (live)")
    "'db=data/AC DC (live)'"
    """
    return shlex.quote(f"{name}={value}")
