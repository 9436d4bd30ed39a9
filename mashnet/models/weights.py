"""Reading weights: bundles, runs, other programs' checkpoints; nothing in a file is executed.

What a file declares is known before any number of it is read, and a network is compared with it
before it is built: `outline` has every array on the device "meta", where it takes no memory.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from torch import nn
from torch.overrides import TorchFunctionMode

from mashnet.errors import CheckpointError
from mashnet.models.limits import no_larger_than, require_finite
from mashnet.models.torch_file import Declared, TorchFile
from mashnet.storage.regular_files import opened

MOST_BYTES = 4_000_000_000  # of a file; those that are known have some hundred million
_MOST_HEADER = 4_000_000  # bytes; a thousand arrays have 100 kB
_KINDS = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}

_FACTORIES = {
    getattr(torch, name)
    for name in (
        "arange bartlett_window blackman_window empty empty_permuted empty_strided eye "
        "full hamming_window hann_window kaiser_window linspace logspace ones rand "
        "randint randn randperm range scalar_tensor tensor tril_indices triu_indices zeros"
    ).split()
}

Network = TypeVar("Network", bound=nn.Module)


class Weights:
    """Named arrays of an open file.

    Attributes:
        path: the file.
        outline: what they are declared to be, on the device "meta".
    """

    def __init__(
        self,
        path: Path,
        outline: dict[str, torch.Tensor],
        read: Callable[[], dict[str, torch.Tensor]],
    ) -> None:
        """Take what one of the readers below found.

        Raises:
            CheckpointError: if they are declared to be more numbers than the file can hold.
        """
        self.path, self.outline, self._read = path, outline, read
        # Two names may share their numbers (tied weights); a thousand may not.
        if sum(value.numel() for value in outline.values()) > 2 * path.stat().st_size:
            raise CheckpointError(f"{path} declares more weights than it has")

    def read(self) -> dict[str, torch.Tensor]:
        """Return the arrays.

        Raises:
            CheckpointError: if the file is damaged, or a number is not finite.
        """
        try:
            state = self._read()
        except (OSError, ValueError, SafetensorError) as error:
            raise CheckpointError(f"{self.path} is damaged: {_one_line(error)}") from error
        require_finite(state, self.path)
        return state


@contextlib.contextmanager
def safetensors_weights(path: Path) -> Iterator[Weights]:
    """Open a safetensors file for the block.

    Raises:
        CheckpointError: if it is none, damaged, too large, or holds arrays of a kind that weights
            do not have.
    """
    require_weights(path)
    try:
        with opened(path) as file:
            if int.from_bytes(file.read(8), "little") > _MOST_HEADER:
                raise ValueError(f"its header has more than {_MOST_HEADER} bytes")
        # Checks that the arrays lie side by side and fill the file.
        archive = safe_open(path, framework="pt")
    except (OSError, ValueError, SafetensorError) as error:
        raise CheckpointError(f"{path} is damaged: {_one_line(error)}") from error
    with archive as found:
        outline = {}
        for name in found.keys():
            declared = found.get_slice(name)
            kind, shape = declared.get_dtype(), declared.get_shape()
            if kind not in _KINDS:
                raise CheckpointError(
                    f"{path} cannot be used: {name} has numbers of the kind {kind}; weights have "
                    f"{', '.join(_KINDS)}"
                )
            outline[name] = torch.empty(shape, dtype=_KINDS[kind], device="meta")
        yield Weights(path, outline, lambda: {name: found.get_tensor(name) for name in outline})


def weights_in(
    path: Path, file: TorchFile, state: Mapping[Any, Any], *, prefix: str = ""
) -> Weights:
    """Return the arrays of a mapping in an open file of `torch.save`.

    Args:
        path: the file, for messages.
        file: of `torch_file`.
        state: name → array, as the file's values have it.
        prefix: only names that begin so are taken, without it.

    Raises:
        CheckpointError: if one is no array of plain numbers that lie in the file.
    """
    taken: dict[str, Declared] = {}
    outline: dict[str, torch.Tensor] = {}
    for name, value in state.items():
        if not isinstance(name, str) or not name.startswith(prefix):
            continue
        if not isinstance(value, Declared):
            raise CheckpointError(f"{path} is damaged: {name[:200]} is not an array of numbers")
        try:
            outline[name.removeprefix(prefix)] = file.outline(value)
        except (ValueError, RuntimeError) as error:
            raise CheckpointError(f"{path} is damaged: {name[:200]} {_one_line(error)}") from error
        taken[name.removeprefix(prefix)] = value
    return Weights(path, outline, lambda: {name: file.array(one) for name, one in taken.items()})


def named_anew(
    weights: Weights,
    names: Mapping[str, str],
    changed: Callable[[str, torch.Tensor], torch.Tensor] | None = None,
) -> Weights:
    """Return the same weights under other names.

    Args:
        weights: those of an open file.
        names: new name → the file's; what is not among them is left out.
        changed: from a new name and an array to the array in the shape that it has there.

    Raises:
        RuntimeError: if one cannot be brought into that shape.
    """

    def renamed(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        found = {new: state[old] for new, old in names.items()}
        return {n: changed(n, value) for n, value in found.items()} if changed else found

    return Weights(weights.path, renamed(weights.outline), lambda: renamed(weights.read()))


def require_weights(path: Path) -> None:
    """Raise a CheckpointError if a file of weights is larger than any that is known."""
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise CheckpointError(
            f"{path} has {size / 1e9:.0f} GB; no network has more than {MOST_BYTES / 1e9:g}"
        )


def with_weights(build: Callable[[], Network], weights: Weights) -> Network:
    """Build a network and give it weights, so that nothing is made but what the file holds.

    It is laid out on the device "meta", where its own first weights take no memory and no random
    numbers are drawn, and takes the file's in their place.

    Args:
        build: makes the network. What it computes for itself, such as filters, it should make with
            `torch.device("cpu")`; else it is called a second time.
        weights: of an open file.

    Raises:
        TooLarge: while it is built, if it has more weights than there are.
        RuntimeError: if it has weights of other names or shapes.
        CheckpointError: as `Weights.read`.
    """
    network = laid_out(build, weights)
    kinds = {name: value.dtype for name, value in network.state_dict().items()}
    # Copies: what comes from safetensors is a view of the file, which somebody may change.
    state = {
        name: value.to(kinds.get(name), copy=True).contiguous()
        for name, value in weights.read().items()
    }
    network.load_state_dict(state, assign=True)
    if _lacks_numbers(network):
        with no_larger_than(weights.outline):
            network = build()
        network.load_state_dict(state)
    return network


def laid_out(build: Callable[[], Network], weights: Weights) -> Network:
    """Return a network whose own weights are on the device "meta", where they take no memory.

    Args:
        build: makes the network.
        weights: of an open file.

    Raises:
        TooLarge: while it is built, if it has more weights than there are.
    """
    with no_larger_than(weights.outline), _LaidOut():
        return build()


def require_fitting(build: Callable[[], nn.Module], weights: Weights) -> None:
    """Lay a network out, and compare it with weights before anybody builds it.

    Args:
        build: makes the network.
        weights: of an open file.

    Raises:
        TooLarge: if it has more weights than there are.
        ValueError: if it has weights of other names or shapes, naming the first.
    """
    wanted = laid_out(build, weights).state_dict()
    for name in sorted({*wanted, *weights.outline}):
        if name not in wanted or name not in weights.outline:
            raise ValueError(f"{name} is only in one of them")
        shapes = tuple(wanted[name].shape), tuple(weights.outline[name].shape)
        if shapes[0] != shapes[1]:
            raise ValueError(f"{name} has the shape {shapes[0]}, in the file {shapes[1]}")


class _LaidOut(TorchFunctionMode):
    """Puts new tensors on "meta" unless told otherwise, and passes over what would fill them.

    `torch.device("meta")` does the first; with the second, building takes no longer than it would.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> torch.Tensor:
        """Return what the function does, on "meta"."""
        kwargs = kwargs or {}
        if func in _FACTORIES:
            if kwargs.get("device") is None:
                kwargs["device"] = "meta"
        elif getattr(func, "__module__", "") == "torch.nn.init":
            return kwargs["tensor"] if "tensor" in kwargs else args[0]
        return func(*args, **kwargs)


def _lacks_numbers(network: nn.Module) -> bool:
    """Return whether a network holds tensors on "meta", of its own making."""
    held = [value for module in network.modules() for value in vars(module).values()]
    held += [*network.parameters(), *network.buffers()]
    return any(isinstance(value, torch.Tensor) and value.is_meta for value in held)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
