"""Which requests the listening server answers: its own host names and pages, at a limited rate.

A page of any other server can make its visitors' browsers send requests here. It is kept out by
what browsers tell of it (Origin), by a kind of content that it may not send without asking first,
and, where it has given its own name this machine's address (DNS rebinding), by that name (Host).
"""

from __future__ import annotations

import ipaddress
import socket
from collections import Counter
from collections.abc import Collection
from urllib.parse import urlsplit

from fastapi import Request

_MOST_OF_ADDRESS = 20_000  # ratings while the server runs; a web server before it is one address
_PER_CLIP, _ALWAYS_OF_NAME = 20, 1000  # ratings that one participant may store


class Visitors:
    """What one server knows of those who ask it."""

    def __init__(self, host: str, names: Collection[str] = ()) -> None:
        """Say under which names the server is reached.

        Args:
            host: that it listens on.
            names: further ones, such as that of a web server before it.
        """
        own = {"localhost", host, socket.gethostname(), f"{socket.gethostname()}.local", *names}
        self._names = {name.lower().rstrip(".") for name in own if name}
        self._given = {name.lower().rstrip(".") for name in names}
        self._of_address: Counter[str] = Counter()

    def misdirected(self, request: Request) -> str:
        """Return why a request is for another server, or "" if it is not."""
        name = _host_of(f"//{request.headers.get('host', '')}")
        if self._is_own(name):
            return ""
        name = name[:100]
        return f"this server is not called '{name}'; if it is, start it with names=[{name}]"

    def foreign(self, request: Request) -> str:
        """Return why a rating comes from a page of another server, or "" if it does not."""
        origin = request.headers.get("origin")
        if origin is not None:
            host = request.headers.get("host", "")
            # A web server before this one may ask under another name than the page has.
            if origin.partition("://")[2] != host and _host_of(origin) not in self._given:
                return "ratings come from this server's own page"
        if request.headers.get("sec-fetch-site") in ("cross-site", "same-site"):
            return "ratings come from this server's own page"
        return ""

    def too_many(self, request: Request, of_participant: int, clips: int) -> str:
        """Return why a client may store no more, or "" if it may.

        Args:
            request: of the client.
            of_participant: how many ratings are stored of the participant.
            clips: how many there are in the test.
        """
        address = request.client.host if request.client else ""
        if of_participant >= max(_ALWAYS_OF_NAME, _PER_CLIP * clips):
            return "this participant has stored more ratings than anybody needs"
        if self._of_address[address] >= _MOST_OF_ADDRESS:
            return "too many ratings come from this address; start the server again to go on"
        self._of_address[address] += 1
        return ""

    def _is_own(self, name: str) -> bool:
        """Return whether a name is the server's; an address is always: no page can take it."""
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name in self._names
        return True


def _host_of(address: str) -> str:
    """Return the name in an address, in small letters; "" if there is none."""
    try:
        return (urlsplit(address).hostname or "").rstrip(".")
    except ValueError:
        return ""
