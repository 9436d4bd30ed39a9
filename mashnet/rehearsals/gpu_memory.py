"""What tensors take on a GPU, fake or not, counted as they are made and given back."""

from __future__ import annotations

import weakref
from typing import Any

import torch
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

_GRAIN_BYTES = 512  # PyTorch's allocator gives out no less


class PeakMemory(TorchDispatchMode):
    """Counts the bytes of all storages on GPUs that operations under it return.

    It counts what PyTorch calls allocated memory. What kernels use inside, what the allocator keeps
    between pieces and CUDA's own half a gigabyte come on top.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        super().__init__()
        self.present_bytes = self.peak_bytes = 0
        self._known: dict[int, weakref.finalize] = {}

    def begin(self) -> None:
        """Forget the peak so far."""
        self.peak_bytes = self.present_bytes

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation and count what it makes."""
        result = func(*args, **(kwargs or {}))
        for leaf in pytree.tree_leaves(result):
            if isinstance(leaf, torch.Tensor) and leaf.device.type == "cuda":
                self._count(leaf.untyped_storage())
        return result

    def _count(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key in self._known:
            return
        size = -(-storage.nbytes() // _GRAIN_BYTES) * _GRAIN_BYTES
        self._known[key] = weakref.finalize(storage, self._release, key, size)
        self.present_bytes += size
        self.peak_bytes = max(self.peak_bytes, self.present_bytes)

    def _release(self, key: int, size: int) -> None:
        del self._known[key]
        self.present_bytes -= size
