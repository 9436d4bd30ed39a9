"""What was encoded is kept, up to a number of bytes; what was not asked for longest goes first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable

from mashnet.models.phrases.places import Encoded

_MOST_BYTES = 1 << 30


class KeptEncodings:
    """Encoded phrases by whatever names them."""

    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        """Set how much memory they may take; the last one stays, whatever it takes."""
        self._most_bytes = most_bytes
        self._bytes = 0
        self._known: OrderedDict[Hashable, Encoded] = OrderedDict()

    def get(self, key: Hashable, encode: Callable[[], Encoded]) -> Encoded:
        """Return what is kept under a key, or encode it."""
        if key not in self._known:
            self._known[key] = encode()
            self._bytes += self._known[key].nbytes
            while self._bytes > self._most_bytes and len(self._known) > 1:
                self._bytes -= self._known.popitem(last=False)[1].nbytes
        self._known.move_to_end(key)
        return self._known[key]
