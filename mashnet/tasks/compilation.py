"""Compiles the transformers of a network that is to be trained."""

from __future__ import annotations

import importlib.util
import shutil
import warnings

from torch import nn

from mashnet.errors import require_one_of
from mashnet.models.stems.predictor import Predictor
from mashnet.models.stems.vit import Vit


def choose_compilation(setting: str | bool, accelerator: str) -> bool:
    """Return whether to compile: by default on a GPU where Triton and its C compiler are at hand.

    Args:
        setting: auto, true or false.
        accelerator: Lightning's name of it.

    Raises:
        ConfigError: if the setting is another one.
    """
    chosen = require_one_of("trainer.compile", str(setting).lower(), ("auto", "true", "false"))
    if chosen == "auto":
        compilers = any(shutil.which(name) for name in ("cc", "gcc", "clang"))
        return accelerator == "gpu" and compilers and bool(importlib.util.find_spec("triton"))
    return chosen == "true"


def compile_transformers(network: nn.Module, *, lengths_vary: bool) -> None:
    """Compile every Vit and Predictor of a network in place; names in its state stay as they are.

    Args:
        network: whatever holds them; one without any stays as it is.
        lengths_vary: from batch to batch. One program then serves all lengths; else there is a
            faster one for the length that is met.
    """
    # It leaves the spectrogram's complex numbers to the ordinary kernels, which are fast.
    warnings.filterwarnings("ignore", ".*code generation for complex operators.*")
    for module in network.modules():
        if isinstance(module, Vit | Predictor):
            module.compile(dynamic=True if lengths_vary else None)
