"""The settings of a run that goes on: data, checked against what training writes.

A run may be a stranger's. Its config.yaml is read as plain values, none of which is parsed as an
override or interpolated; a key that training does not write, or a value of another kind, ends the
program before anything is done.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mashnet.data.loops import STRATEGIES
from mashnet.errors import CheckpointError
from mashnet.storage.places import shown

# Says whether a value is what training writes.
Kind = Callable[[Any], bool]
INTERPOLATION = "${"  # what OmegaConf would put an environment variable in place of


def _text(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 1000 and value.isprintable()


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)


def _whole(value: Any) -> bool:
    return type(value) is int


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_text, value))


def _block(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_text, value))


def _numbers(value: Any) -> bool:
    return _block(value) and all(map(_number, value.values()))


def _one_of(*allowed: str) -> Kind:
    return lambda value: isinstance(value, str) and value in allowed


def _count_or_auto(value: Any) -> bool:
    return value == "auto" or (_whole(value) and value > 0)


def _text_or_none(value: Any) -> bool:
    return value is None or _text(value)


def _project(value: Any) -> bool:
    return _text(value) and "/" not in value and "\\" not in value


_TRAINER: dict[str, Kind] = {
    "accelerator": _one_of("auto", "cpu", "gpu"),
    "precision": _text,
    "compile": lambda value: value == "auto" or _flag(value),
    "max_epochs": lambda value: _whole(value) and value > 0,
    "patience": lambda value: _whole(value) and value > 0,
    "gradient_clip": lambda value: value is None or (_number(value) and value >= 0),
    "progress_every": _whole,
    "devices": _count_or_auto,
    "num_nodes": _count_or_auto,
    "timeout_s": lambda value: _number(value) and value > 0,
}
_DATA: dict[str, Kind] = {
    "name": _text,
    "root": _text,
    "mixes": _texts,
    "loops": _texts,
    "negatives": _one_of(*STRATEGIES),
    "artefact_control": _flag,
    "transposed_negatives": _flag,
    "validation_windows": lambda value: _whole(value) and value > 0,
    "chunks": _numbers,
    "batch_size": lambda value: _whole(value) and value > 0,
    "num_workers": lambda value: _whole(value) and value >= 0,
}
_LOGGER: dict[str, Kind] = {
    "name": _one_of("csv", "wandb"),
    "project": _project,
    "offline": _flag,
}
_TOP: dict[str, Kind] = {
    "name": _text,
    "seed": lambda value: _whole(value) and 0 <= value < 2**32,
    "init_from": _text_or_none,
    "model": _block,  # its network checks what is inside
    "data": _block,
    "trainer": _block,
    "logger": _block,
    "made_with": _block,
}
_BLOCKS = {"trainer": _TRAINER, "data": _DATA, "logger": _LOGGER}
# The others came later, or are of some views only.
_NEEDED = {
    "": ("name", "seed", "model", "data", "trainer", "logger"),
    "trainer": ("accelerator", "precision", "max_epochs", "patience", "gradient_clip"),
    "data": ("name", "root", "batch_size"),
    "logger": ("name",),
}


def checked_settings(config: Mapping[str, Any], run: Path) -> dict[str, Any]:
    """Return the settings of a run if they are what training writes.

    Args:
        config: plain values, as config.yaml has them.
        run: the folder, for messages.

    Raises:
        CheckpointError: naming the first setting that is not.
    """
    if "trainer" not in config and not (run / "checkpoints").is_dir():
        raise CheckpointError(
            f"{run} is a bundle, and no run that could go on: it holds no state of a training. "
            "Name the folder of a run, or begin a new one"
        )
    _require(config, _TOP, "", run)
    for block, kinds in _BLOCKS.items():
        _require(config[block], kinds, block, run)
    _refuse_interpolation(config, "", run)
    return dict(config)


def _require(values: Mapping[str, Any], kinds: Mapping[str, Kind], block: str, run: Path) -> None:
    before = f"{block}." if block else ""
    for name, value in values.items():
        if name not in kinds:
            raise _error(run, f"{before}{name}", "is no setting of a run")
        if not kinds[name](value):
            raise _error(run, f"{before}{name}", f"cannot be {shown(value)}")
    for name in _NEEDED[block]:
        if name not in values:
            raise _error(run, f"{before}{name}", "is missing")


def _refuse_interpolation(value: Any, name: str, run: Path) -> None:
    if isinstance(value, str) and INTERPOLATION in value:
        raise _error(run, name, f"cannot be {shown(value)}: nothing is put in place of names")
    inside: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        inside = [*value.items(), *((key, key) for key in value)]
    elif isinstance(value, list):
        inside = list(enumerate(value))
    for key, one in inside:
        _refuse_interpolation(one, f"{name}.{str(key)[:100]}".lstrip("."), run)


def _error(run: Path, name: str, problem: str) -> CheckpointError:
    return CheckpointError(
        f"{run / 'config.yaml'}: {shown(name)[1:-1]} {problem}. This run was not written by "
        "training as it is now; train a new one"
    )
