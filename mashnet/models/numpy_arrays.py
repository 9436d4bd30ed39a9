"""Arrays of numpy in a file that `torch.save` wrote.

numpy hands a pickle the shape of an array, the kind of its numbers, and their bytes. These stand in
the pickle itself and, as the protocol that torch writes knows no bytes, as text with a character
each. They are read as data like all else in such a file (`plain_pickle`).
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from mashnet.errors import CheckpointError
from mashnet.models.plain_pickle import Stateful
from mashnet.models.torch_file import torch_file
from mashnet.models.weights import Weights, require_weights

_MOST_PICKLE = 200_000_000  # bytes: of fifty million numbers or so
_MOST_AXES = 16
_KINDS = {"f2": torch.float16, "f4": torch.float32, "f8": torch.float64}


class _Kind(Stateful):
    """What kind of numbers an array has."""

    def __init__(self, name: Any = None, *_: Any) -> None:
        self.name, self.order = name, None

    def take_state(self, state: Any) -> None:
        self.order = state[1] if isinstance(state, tuple) and len(state) > 1 else None


class _Array(Stateful):
    """An array as the pickle declares it; nothing of it has been checked or read."""

    def __init__(self, *_: Any) -> None:
        self._state: Any = None

    def take_state(self, state: Any) -> None:
        self._state = state

    def outline(self) -> torch.Tensor:
        """Return what it is declared to be, on the device "meta"; raises ValueError."""
        shape, kind, _, text = self._parts()
        if len(text) != math.prod(shape) * kind.itemsize:
            raise ValueError("has not as many numbers as its shape")
        return torch.empty(shape, dtype=kind, device="meta")

    def read(self) -> torch.Tensor:
        """Return its numbers; raises ValueError if they are none."""
        shape, kind, columns_first, text = self._parts()
        if not text:
            return torch.empty(shape, dtype=kind)
        numbers = torch.frombuffer(bytearray(text.encode("latin-1")), dtype=kind)
        if columns_first:
            return numbers.reshape(shape[::-1]).permute(*reversed(range(len(shape))))
        return numbers.reshape(shape)

    def _parts(self) -> tuple[tuple[int, ...], torch.dtype, bool, str]:
        state = self._state
        if not isinstance(state, tuple) or len(state) != 5:
            raise ValueError("is no plain array")
        _, shape, kind, columns_first, text = state
        if not isinstance(shape, tuple) or len(shape) > _MOST_AXES:
            raise ValueError("is no plain array")
        if any(type(n) is not int or n < 0 for n in shape):
            raise ValueError("is no plain array")
        known = isinstance(kind, _Kind) and isinstance(kind.name, str) and kind.name in _KINDS
        if not known or kind.order != "<" or not isinstance(text, str):
            raise ValueError(f"has no numbers of the kinds {', '.join(_KINDS)}")
        return shape, _KINDS[kind.name], columns_first is True, text


def _text(text: Any = "", *_: Any) -> Any:
    return text


_MADE: dict[str, Callable[..., Any]] = {
    "numpy.core.multiarray._reconstruct": _Array,  # numpy 1
    "numpy._core.multiarray._reconstruct": _Array,
    "numpy.ndarray": _Array,  # what the two above are told to make
    "numpy.dtype": _Kind,
    "_codecs.encode": _text,
}


@contextlib.contextmanager
def numpy_weights(path: Path) -> Iterator[Weights]:
    """Open a file in which `torch.save` put a mapping of names to arrays of numpy, for the block.

    Raises:
        CheckpointError: if it is none, is damaged or too large, or names anything but arrays.
    """
    try:
        require_weights(path)
        with torch_file(path, made=_MADE, most_pickle=_MOST_PICKLE) as file:
            values = file.values
        if not isinstance(values, dict) or not values:
            raise ValueError("it holds no arrays by their names")
        outline = {}
        for name, value in values.items():
            if not isinstance(name, str) or not isinstance(value, _Array):
                raise ValueError(f"{str(name)[:200]} is not an array of numbers")
            try:
                outline[name] = value.outline()
            except (ValueError, RuntimeError, OverflowError) as error:
                raise ValueError(f"{name[:200]} {error}") from error
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(f"{path} is not a readable file of weights: {reason}") from error
    yield Weights(path, outline, lambda: {name: value.read() for name, value in values.items()})
