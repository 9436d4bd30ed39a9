"""Bounds on a model's files, settings and size, so that a stranger's cannot fill the memory.

A configuration names a network and its sizes; both are data. A network is built only as large as
the weights that lie beside its configuration, so that no number in it can fill the memory.
"""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch.nn.modules import module as modules

from mashnet.errors import CheckpointError

_MOST_NUMBER = 1 << 16
# Numbers that may be larger, or must be smaller, by the end of their names.
_MOST_BY_NAME = {"sample_rate": 192_000, "_hz": 192_000, "_s": 600, "n_mels": 512, "stride": 4096}
_MOST_BY_NAME |= {"bins": 512, "bins_per_octave": 96}
_MOST_FEATURES = 1 << 25  # numbers of a spectrogram of one window
_WINDOW_S, _BINS = 10.0, 256  # where a configuration does not say


class TooLarge(Exception):
    """A network would have more weights than there are."""


def require_sane(model: Mapping[str, Any]) -> None:
    """Check the `model` block of a configuration from anywhere.

    Raises:
        CheckpointError: if it is none, or has a number that no network has.
    """
    for block in ("sizes", "frontend"):
        if not isinstance(model[block], dict):
            raise CheckpointError(f"model.{block} is not a mapping")
        _require_sane_numbers(f"model.{block}", block, model[block])
    # Some networks make their spectrograms themselves, by their sizes.
    for found in (model["frontend"], {**model["frontend"], **model["sizes"]}):
        if _largest_array(found) > _MOST_FEATURES:
            raise CheckpointError("model: its spectrograms would be larger than any memory")


def _largest_array(found: Mapping[str, Any]) -> float:
    """Return about how many numbers a window, its spectrogram or a bank of filters has."""
    rate_hz = _number(found, "sample_rate", 0)
    samples = rate_hz * _number(found, "window_s", _WINDOW_S)
    hop = _number(found, "hop_length", _number(found, "hop_samples", math.inf))
    bins = max(_number(found, "n_fft", _BINS), _number(found, "bins", 0))
    spectrogram = samples * bins / hop if hop > 0 else math.inf
    filters = 0.0
    if "bins" in found or "bins_per_octave" in found:  # of a constant-Q transform
        lowest_hz = _number(found, "f_min_hz", math.inf)
        per_octave = _number(found, "bins_per_octave", _MOST_BY_NAME["bins_per_octave"])
        filters = bins * 1.5 * rate_hz * per_octave / lowest_hz if lowest_hz > 0 else math.inf
    return max(samples, spectrogram, filters)


def _number(found: Mapping[str, Any], name: str, otherwise: float) -> float:
    value = found.get(name)
    return value if isinstance(value, int | float) else otherwise


def _require_sane_numbers(where: str, name: str, value: Any) -> None:
    if isinstance(value, dict):
        for key, one in value.items():
            _require_sane_numbers(f"{where}.{str(key)[:80]}", str(key), one)
    elif isinstance(value, list):
        for one in value:
            _require_sane_numbers(where, name, one)
    elif isinstance(value, int | float):
        limits = [most for end, most in _MOST_BY_NAME.items() if name.endswith(end)]
        most = min(limits, default=_MOST_NUMBER)
        if not math.isfinite(value) or abs(value) > most:
            raise CheckpointError(f"{where}={value} is beyond what any network has ({most})")


def require_finite(state: Mapping[str, torch.Tensor], path: Path) -> None:
    """Raise a CheckpointError if a weight is NaN or infinite, or is no tensor."""
    for name, value in state.items():
        if not isinstance(value, torch.Tensor):
            raise CheckpointError(f"{path} is damaged: {name} is not an array of numbers")
        numbers = value.is_floating_point() or value.is_complex()
        if numbers and not torch.isfinite(value).all():
            raise CheckpointError(f"{path} is damaged: {name} has numbers that are not finite")


@contextlib.contextmanager
def no_larger_than(state: Mapping[str, torch.Tensor]) -> Iterator[None]:
    """Refuse, while a network is built, more weights than `state` has, before they are filled.

    What it computes for itself and does not save (filters, windows) is bounded as spectrograms are.

    Raises:
        TooLarge: from within the block.
    """
    left = {"arrays": len(state), "numbers": sum(value.numel() for value in state.values())}
    computed = [0]
    builder = threading.get_ident()

    def count(_: torch.nn.Module, name: str, value: torch.Tensor | None) -> None:
        if value is None or threading.get_ident() != builder:
            return
        left["arrays"] -= 1
        left["numbers"] -= value.numel()
        if min(left.values()) < 0:
            raise TooLarge(f"from {name} on there are no weights for it")

    def count_computed(_: torch.nn.Module, name: str, value: torch.Tensor | None) -> None:
        if value is None or threading.get_ident() != builder:
            return
        computed[0] += value.numel()
        if computed[0] > left["numbers"] + _MOST_FEATURES:
            raise TooLarge(f"its {name} would be larger than any memory")

    hooks = (
        modules.register_module_parameter_registration_hook(count),
        modules.register_module_buffer_registration_hook(count_computed),
    )
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
