"""Connections of listeners: those that say nothing, or take nothing, make room for others.

uvicorn ends a connection that is silent between two requests, but waits for ever for the first one,
for the rest of one that was begun, and for a client that does not read what it asked for. The
server gives the body of a request 30 s; where there are too many connections, those that keep it
waiting make room before that.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

MOST_AT_ONCE = 200  # connections; beyond, the longest silent one is ended
SILENT_S = 10.0  # until a request must have come as a whole, its body apart


class ListenerConnection(H11Protocol):
    """One connection, which is ended when nothing comes of it."""

    _since: float  # the client keeps the server waiting: for a request, or for more of its body
    _check: asyncio.TimerHandle | None = None
    _unsent = 0  # bytes that the client had not taken at the last look

    def connection_made(self, transport: Any) -> None:
        """Begin; where there are too many, end the one that has been silent for longest."""
        super().connection_made(transport)
        self._since = self.loop.time()
        ours = [c for c in self.connections if isinstance(c, ListenerConnection)]
        others = [c for c in ours if c._is_idle or c._lacks_body]
        if len(self.connections) > MOST_AT_ONCE:  # if nobody else is silent, this one is ended
            oldest = min(others, key=lambda connection: connection._since)
            oldest.transport.abort()
            self.connections.discard(oldest)
        self._look_later()

    def data_received(self, data: bytes) -> None:
        """Take what came; of a body, any byte shows that the client is still there."""
        super().data_received(data)
        if self._lacks_body:
            self._since = self.loop.time()

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

    @property
    def _lacks_body(self) -> bool:
        return not self._is_idle and self.cycle.more_body

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
