"""Finding the few hashes that are near one, among many, without comparing with all of them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

_BITS = 64


class NearHashes:
    """Hashes of 64 bits, in the order of each of a few bands of their bits.

    Two hashes that differ in fewer bits than there are bands agree in one band at least. So only
    those that agree in a band are compared: of random hashes one in thousands.
    """

    def __init__(self, hashes: np.ndarray, *, fewer_than: int) -> None:
        """Sort them.

        Args:
            hashes: (hashes,), unsigned, of 64 bits.
            fewer_than: how many bits near hashes differ in at most, and one more.
        """
        self.hashes, self.fewer_than = hashes, fewer_than
        edges = np.linspace(0, _BITS, fewer_than + 1).astype(int).tolist()
        bands = [
            (hashes >> np.uint64(low)) & np.uint64((1 << (high - low)) - 1)
            for low, high in pairwise(edges)
        ]
        self._bands = [(band, order, band[order]) for band in bands for order in [np.argsort(band)]]

    def to(self, index: int) -> np.ndarray:
        """Return the indices of the hashes near one of them, itself among them, rising."""
        found = []
        for band, order, ordered in self._bands:
            first, last = (np.searchsorted(ordered, band[index], s) for s in ("left", "right"))
            found.append(order[first:last])
        near = np.unique(np.concatenate(found))
        bits = np.bitwise_count(self.hashes[near] ^ self.hashes[index])
        return near[bits < self.fewer_than]
