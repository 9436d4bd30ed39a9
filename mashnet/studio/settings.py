"""What is typed after `python -m mashnet.studio`, and what is refused before a page opens."""

from __future__ import annotations

import importlib.util
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mashnet.commands.small_program import read_arguments, whole_number
from mashnet.errors import ConfigError
from mashnet.extras import advice

USAGE = "python -m mashnet.studio library=data/real [scorer=checkpoints/alignnet] [port=8501]"
_DEFAULT_PORT = "8501"  # Streamlit's own
_KEYS = ("library", "scorer", "port")


@dataclass(frozen=True)
class Settings:
    """What the user typed.

    Attributes:
        library: folder of the MashupDB that the page opens with.
        scorer: bundle, run or rule that the page opens with; None lets the page choose.
        port: of this machine, on which the page is served.
    """

    library: str
    scorer: str | None
    port: int


def understood(arguments: Sequence[str]) -> Settings:
    """Read key=value arguments; nothing is opened.

    Raises:
        ConfigError: if one is unknown or has no value, or the library is missing.
    """
    given = read_arguments(arguments, usage=USAGE, allowed=_KEYS, needed=("library",))
    port = whole_number("port", given.get("port", _DEFAULT_PORT), least=1, most=65535)
    return Settings(given["library"], given.get("scorer"), port)


def libraries_beside(folder: str) -> list[str]:
    """Return a library, and the other MashupDBs in the folder that it lies in."""
    given = Path(folder)
    found = sorted(str(manifest.parent) for manifest in given.parent.glob("*/manifest.json"))
    return [folder, *(path for path in found if Path(path) != given)]


def require_streamlit() -> None:
    """Raise a ConfigError where Streamlit, which draws the page, is not installed."""
    if importlib.util.find_spec("streamlit") is None:
        raise ConfigError(f"the studio needs Streamlit; get it: {advice('studio')}")


def require_free(port: int) -> None:
    """Raise a ConfigError if another program listens on a port of this machine."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(("localhost", port))
        except OSError as error:
            raise ConfigError(
                f"port={port} cannot be had: {error.strerror or error}; choose another"
            ) from error
