"""Demucs' weights from a folder, without running what is in them.

Its *.th files are pickles, which demucs itself loads as such: they could run any program. Here they
come through the door of all weights (mashnet.models.weights): the classes of demucs' networks are
taken for themselves, nothing else that a file names is imported or called, and no network is made
larger than the weights in the file.
"""

from __future__ import annotations

import contextlib
import inspect
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

from demucs.demucs import Demucs
from demucs.hdemucs import HDemucs
from demucs.htdemucs import HTDemucs
from demucs.repo import LocalRepo, ModelLoadingError, check_checksum

from mashnet.errors import CheckpointError
from mashnet.models.limits import TooLarge
from mashnet.models.plain_pickle import Named
from mashnet.models.torch_file import torch_file
from mashnet.models.weights import require_weights, weights_in, with_weights

_NETWORKS = (Demucs, HDemucs, HTDemucs)
_CLASSES = {f"{kind.__module__}.{kind.__qualname__}": kind for kind in _NETWORKS}
_FRACTION = re.compile(r"-?[0-9]{1,9}(/[0-9]{1,9})?")
_MOST_NUMBER = 200_000  # samples a second; all other sizes are smaller


class PlainRepo(LocalRepo):
    """A folder of weights as demucs lays them out."""

    def get_model(self, sig: str) -> Any:
        """Return the network with a signature.

        Raises:
            ModelLoadingError: if there is none, or the file is damaged or holds anything else.
        """
        if sig not in self._models:
            raise ModelLoadingError(f"there is no file for {sig}")
        path = Path(self._models[sig])
        if sig in self._checksums:
            check_checksum(path, self._checksums[sig])
        try:
            model = _network_of(path)
        except CheckpointError as error:
            raise ModelLoadingError(str(error)) from error
        if not all(re.fullmatch(r"[A-Za-z0-9_-]{1,40}", str(name)) for name in model.sources):
            raise ModelLoadingError(f"{path} has stems that cannot be names of files")
        return model


def _network_of(path: Path) -> Any:
    """Return the network of a file, with its weights; raises CheckpointError."""
    require_weights(path)
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(
                torch_file(path, made={"fractions.Fraction": _fraction}, foreign=True)
            )
        except (OSError, ValueError) as error:
            raise CheckpointError(f"{path} is not a readable file of weights: {error}") from error
        package = file.values if isinstance(file.values, dict) else {}
        named, state = package.get("klass"), package.get("state")
        kind = _CLASSES.get(named.name) if isinstance(named, Named) else None
        if kind is None or not isinstance(state, dict):
            raise CheckpointError(f"{path} holds no network of demucs")
        if state.get("__quantized"):
            raise CheckpointError(f"{path} is quantised; take the network that is not, without _q")
        args, kwargs = package.get("args") or (), package.get("kwargs") or {}
        try:
            known = inspect.signature(kind).parameters
            taken = {name: value for name, value in kwargs.items() if name in known}
            _require_sane_arguments([*args, *taken.values()])
            return with_weights(lambda: kind(*args, **taken), weights_in(path, file, state))
        except (CheckpointError, TooLarge) as error:
            raise CheckpointError(f"{path} cannot be used: {error}") from error
        # Wrong arguments fail in as many ways as networks use them; none may pass for a crash.
        except Exception as error:
            reason = " ".join(str(error).split())[:200]
            raise CheckpointError(
                f"{path} does not hold weights of {kind.__name__}: {reason}"
            ) from (error)


def _require_sane_arguments(values: list[Any]) -> None:
    """Raise a CheckpointError for a number that no network of demucs has."""
    for value in values:
        if isinstance(value, list | tuple):
            _require_sane_arguments(list(value))
        elif isinstance(value, int | float | Fraction) and not abs(float(value)) <= _MOST_NUMBER:
            raise CheckpointError(f"{float(value):g} is beyond what any network of demucs has")


def _fraction(text: str) -> Fraction:
    """Return a fraction as pickles have it, "39/5"; another text could fill the memory."""
    if not isinstance(text, str) or not _FRACTION.fullmatch(text):
        raise ValueError("it has a fraction that is none")
    return Fraction(text)
