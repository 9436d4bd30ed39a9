"""A GPU that is not there: tensors on cuda:0 that have shapes, types and a place, and no numbers.

PyTorch's fake tensors compute the shape, type and device of every result. What would be an error at
a customer's first run on a GPU is one here: operands on two devices, a type that a kernel does not
take. So is what would only be slow there, a number that Python asks of the GPU in a step. They do
not know whether results are right or how long anything takes.

Tensors on the CPU stay real, as they would beside a GPU: text encoders and the counters of
optimisers work as ever. Only what lies on the GPU is faked.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any, NoReturn
from unittest import mock

import torch
from torch._subclasses import fake_tensor
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.nn import functional
from torch.utils import _pytree as pytree

GPU = torch.device("cuda", 0)
_META = torch.device("meta")
_DEVICE_OF = torch.ops.prim.device.default
_ATTENTION = functional.scaled_dot_product_attention
# Fake tensors know most of the types that operations refuse, but not what only kernels ask for. Of
# that the likeliest in mixed precision, by names and beginnings of names: operations for which
# NVIDIA's GPUs have no kernel in bfloat16, and those whose operands must be of one type.
_NOT_IN_BF16 = ("_fft_", "_linalg_", "linalg_", "_cdist_")
_IN_BF16 = ("linalg_vector_norm", "linalg_cross")
_OF_ONE_TYPE = ("mm", "addmm", "bmm", "baddbmm", "mv", "addmv", "dot", "convolution")


class FakeGpu(FakeTensorMode):
    """The mode in which tensors on the GPU are fake and tensors on the CPU are real.

    PyTorch's backward pass asks a GPU for its streams, and no driver answers. A graph of tensors on
    "meta" has no streams; so that is where autograd, and nobody else, is told that they lie. Python
    reads the device of a fake tensor elsewhere, and always finds cuda:0.
    """

    def __init__(self) -> None:
        """Prepare the mode; `fake_gpu` enters it."""
        super().__init__(allow_non_fake_inputs=True)
        self._hidden = False
        # What the last operation made, and the history it has until it is given its own.
        self._made: list[tuple[torch.Tensor, Any]] = []
        self._inside = False  # an operation that is being faked

    def dispatch(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation for real if all of it lies on the CPU, else fake it."""
        if func is _DEVICE_OF:
            return self.told_to_compiled_code(args[0])
        kwargs = dict(kwargs or {})
        device = kwargs.get("device")
        on_gpu = device is not None and torch.device(device).type != "cpu"
        if on_gpu:
            kwargs["device"] = GPU  # compiled code may ask for what it was told
        if self._inside:
            return super().dispatch(func, types, args, kwargs)
        leaves = pytree.arg_tree_leaves(*args, **kwargs)
        fakes = [leaf for leaf in leaves if isinstance(leaf, FakeTensor)]
        if not (on_gpu or fakes):
            return func(*args, **kwargs)
        _require_kernel(func, fakes)
        if not fakes:  # what PyTorch takes for constants it would move for real
            args = pytree.tree_map_only(torch.Tensor, self.from_tensor, args)
        self._inside = True
        try:
            result = super().dispatch(func, types, args, kwargs)
        finally:
            self._inside = False
        self._made = []
        if torch.is_grad_enabled() and any(fake.requires_grad for fake in fakes):
            made = pytree.tree_leaves(result)
            self._made = [(t, t.grad_fn) for t in made if isinstance(t, FakeTensor)]
        return result

    def told_to_compiled_code(self, tensor: FakeTensor) -> torch.device:
        """Return the device of a tensor: the truth, but for autograd."""
        if self.in_kernel_invocation:
            return _META
        if tensor.fake_device.type == "cpu":
            return tensor.fake_device
        # A step that is recomputed for its gradients is an ordinary one within the backward pass.
        if self._hidden and not torch.is_grad_enabled():
            return _META
        # Autograd looks at what an operation made before it gives it a history.
        new = any(tensor is made and tensor.grad_fn is old for made, old in self._made)
        return _META if new else tensor.fake_device

    def backward(self, loss: torch.Tensor) -> None:
        """Run the backward pass of a loss on the GPU."""
        self._hidden = True
        try:
            loss.backward()
        finally:
            self._hidden = False

    def accumulators(self, parameters: Iterable[torch.Tensor]) -> list[Any]:
        """Return autograd's nodes of parameters on the GPU; keep them until the last backward.

        Autograd makes such a node when it first meets a parameter, and asks for its device.
        """
        found: list[Any] = []
        for parameter in parameters:
            if parameter.requires_grad:
                self._made = [(parameter, None)]
                node: Any = parameter.view_as(parameter).grad_fn
                found.append(node.next_functions[0][0])
        return found


def _require_kernel(func: Any, tensors: Iterable[torch.Tensor]) -> None:
    name = func.overloadpacket.__name__
    types = {t.dtype for t in tensors if t.device.type == "cuda" and t.dtype.is_floating_point}
    if torch.bfloat16 in types and name.startswith(_NOT_IN_BF16) and name not in _IN_BF16:
        raise RuntimeError(f"{name} has no kernel for bfloat16 on a GPU")
    if len(types) > 1 and name in _OF_ONE_TYPE:
        found = " and ".join(sorted(map(str, types)))
        raise RuntimeError(f"{name} takes operands of one type, got {found}")


def _attention(query: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
    """Take the fused kernel where a GPU takes it; without one PyTorch takes none.

    That is in half precision, without a mask, dropout or anything else but three operands.
    """
    if query.device.type == "cuda" and len(args) == 2 and not kwargs:
        parts = [query, *args]
        if torch.is_autocast_enabled("cuda"):
            parts = [part.to(torch.get_autocast_dtype("cuda")) for part in parts]
        if parts[0].dtype in (torch.bfloat16, torch.float16):
            return torch.ops.aten._scaled_dot_product_flash_attention(*parts)[0]
    return _ATTENTION(query, *args, **kwargs)


def _no_numbers(self: FakeTensor, *_: Any, **__: Any) -> NoReturn:
    raise RuntimeError(f"numpy was asked for the numbers of a tensor of {self.fake_device}")


@contextlib.contextmanager
def fake_gpu() -> Iterator[FakeGpu]:
    """Enter a FakeGpu; torch.autocast("cuda") works in it, on any build of PyTorch."""
    mode = FakeGpu()
    there = torch.cuda.is_available()
    usual = FakeTensor.__torch_dispatch__

    def dispatch(func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is _DEVICE_OF:
            return mode.told_to_compiled_code(args[0])
        return usual(func, types, args, kwargs or {})

    with (
        mock.patch.object(FakeTensor, "__torch_dispatch__", staticmethod(dispatch)),
        mock.patch.object(FakeTensor, "numpy", _no_numbers),
        mock.patch.dict(
            fake_tensor._DISPATCH_META_HANDLERS,
            {_DEVICE_OF: lambda args: mode.told_to_compiled_code(args[0])},
        ),
        mock.patch("torch.cuda.amp.common.amp_definitely_not_available", lambda: False),
        mock.patch("torch.cuda.is_bf16_supported", lambda: True),
        # Every operation asks, and Lightning has the driver's library looked for each time.
        mock.patch("torch.cuda.is_available", lambda: there),
        mock.patch.object(functional, "scaled_dot_product_attention", _attention),
        mode,
    ):
        yield mode
