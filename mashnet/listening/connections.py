"""Connections of listeners: those that say nothing, or take nothing, make room for others.

uvicorn ends a connection that is silent between two requests, but waits for ever for the first one,
for the rest of one that was begun, and for a client that does not read what it asked for.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

MOST_AT_ONCE = 200  # connections; beyond, the longest silent one is ended
SILENT_S = 10.0  # until a request must have come as a whole, its body apart
_SPARE = 10  # so that a new connection is never one too many for uvicorn


class ListenerConnection(H11Protocol):
    """One connection, which is ended when nothing comes of it."""

    _since: float
    _check: asyncio.TimerHandle | None = None
    _unsent = 0  # bytes that the client had not taken at the last look

    def connection_made(self, transport: Any) -> None:
        """Begin; where there are too many, end the one that has been silent for longest."""
        super().connection_made(transport)
        self._since = self.loop.time()
        others = [c for c in self.connections if isinstance(c, ListenerConnection) and c._is_idle]
        if len(self.connections) > MOST_AT_ONCE - _SPARE and len(others) > 1:
            oldest = min(others, key=lambda connection: connection._since)
            oldest.transport.abort()
            self.connections.discard(oldest)
        self._look_later()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop looking."""
        if self._check is not None:
            self._check.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Wait anew: the next request may take as long as the first."""
        self._since = self.loop.time()
        super().on_response_complete()

    @property
    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _look_later(self) -> None:
        self._check = self.loop.call_later(SILENT_S, self._look)

    def _look(self) -> None:
        """End the connection if no request has come, or nothing of an answer is taken."""
        unsent = self.transport.get_write_buffer_size()
        silent = self._is_idle and self.loop.time() - self._since >= SILENT_S
        # Who reads, however slowly, leaves another number each time.
        stuck = unsent > 0 and unsent == self._unsent
        if silent or stuck:
            self.transport.abort()
            return
        self._unsent = unsent
        self._look_later()
