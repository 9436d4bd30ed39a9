"""Demucs' weights from a folder, without running what is in them.

Its *.th files are pickles, which demucs itself loads as such: they could run any program. Here they
are read as data: the classes of its networks are taken for themselves, and nothing else that a file
names is imported or called. The file's numbers decide how large a network is made.
"""

from __future__ import annotations

import re
import zipfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
from demucs.demucs import Demucs
from demucs.hdemucs import HDemucs
from demucs.htdemucs import HTDemucs
from demucs.repo import LocalRepo, ModelLoadingError, check_checksum
from demucs.states import load_model

from mashnet.models.inert import Inert

_NETWORKS = (Demucs, HDemucs, HTDemucs)
_PLAIN = (*_NETWORKS, Fraction)  # a length may be a fraction of a second


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
        package = _read(path)
        if not isinstance(package, dict) or package.get("klass") not in _NETWORKS:
            raise ModelLoadingError(f"{path} holds no network of demucs")
        model = load_model(package)
        if not all(re.fullmatch(r"[A-Za-z0-9_-]{1,40}", str(name)) for name in model.sources):
            raise ModelLoadingError(f"{path} has stems that cannot be names of files")
        return model


def _read(path: Path) -> Any:
    allowed: list[Any] = list(_PLAIN)
    if zipfile.is_zipfile(path):  # older files cannot be asked beforehand what they name
        known = {f"{kind.__module__}.{kind.__qualname__}" for kind in _PLAIN}
        named = torch.serialization.get_unsafe_globals_in_checkpoint(str(path))
        allowed += [(Inert, name) for name in named if name not in known]
    with torch.serialization.safe_globals(allowed):
        return torch.load(path, map_location="cpu", weights_only=True)
