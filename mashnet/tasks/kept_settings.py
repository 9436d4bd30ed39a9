"""The settings of a run that goes on: data, checked against what training writes.

A run may be a stranger's. Its config.yaml is read as plain values, none of which is parsed as an
override or interpolated; a key that training does not write, or a value of another kind, ends the
program before anything is done. Numbers have bounds far beyond what any run has, so that none of
them starts programs without end or fills the memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mashnet.data.loops.loops import STRATEGIES
from mashnet.errors import CheckpointError
from mashnet.models.limits import require_sane
from mashnet.storage.contained_paths import shown

# Says whether a value is what training writes.
Kind = Callable[[Any], bool]
INTERPOLATION = "${"  # what OmegaConf would put an environment variable in place of


def _text(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 1000 and value.isprintable()


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)


def _whole(least: int, most: int) -> Kind:
    return lambda value: type(value) is int and least <= value <= most


def _between(least: float, most: float) -> Kind:
    return lambda value: _number(value) and least <= value <= most


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_text, value))


def _block(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_text, value))


def _chunks(value: Any) -> bool:
    return _numbers_of(value, _CHUNKS)


def _phrases(value: Any) -> bool:
    return _numbers_of(value, _PHRASES)


def _numbers_of(value: Any, kinds: Mapping[str, Kind]) -> bool:
    return (
        _block(value)
        and all(map(_number, value.values()))
        and set(kinds) <= set(value)
        and all(kind(value[name]) for name, kind in kinds.items())
    )


def _lengths(value: Any) -> bool:
    """Return whether it is a list of lengths in bars."""
    return isinstance(value, list) and 0 < len(value) <= 16 and all(map(_whole(1, 64), value))


def _chunk_s(value: Any) -> bool:
    """Return whether it is the shortest and the longest chunk."""
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(map(_between(0.1, 600), value))
        and value[0] <= value[1]
    )


def _one_of(*allowed: str) -> Kind:
    return lambda value: isinstance(value, str) and value in allowed


def _auto_or(kind: Kind) -> Kind:
    return lambda value: value == "auto" or kind(value)


def _anything(value: Any) -> bool:
    return True


def _text_or_none(value: Any) -> bool:
    return value is None or _text(value)


def _project(value: Any) -> bool:
    return _text(value) and "/" not in value and "\\" not in value


_MOST_COUNT = 10**9
_PRECISIONS = (
    *("32-true", "bf16-mixed", "16-mixed", "64-true", "bf16-true", "16-true"),
    *("32", "bf16", "16", "64"),
)
_TRAINER: dict[str, Kind] = {
    "accelerator": _one_of("auto", "cpu", "gpu"),
    "precision": _one_of("auto", *_PRECISIONS),
    "compile": lambda value: value == "auto" or _flag(value),
    "max_epochs": _whole(1, _MOST_COUNT),
    "patience": _whole(1, _MOST_COUNT),
    "gradient_clip": lambda value: value is None or _between(0, math.inf)(value),
    "progress_every": _whole(-_MOST_COUNT, _MOST_COUNT),
    "devices": _auto_or(_whole(1, 64)),  # each is a process on this machine
    "num_nodes": _auto_or(_whole(1, 4096)),
    "timeout_s": lambda value: _between(0, 30 * 86_400)(value) and value > 0,
}
_CHUNKS: dict[str, Kind] = {
    "per_clip": _whole(1, 100_000),
    "validation_per_clip": _whole(1, 100_000),
    "silence_db": _between(-math.inf, 1000),
    "gain_db": _between(0, 1000),
    "noise_db": _between(-math.inf, 1000),
}
_PHRASES: dict[str, Kind] = {
    "per_clip": _whole(1, 100_000),
    "validation_per_clip": _whole(1, 100_000),
    "tempo_errors": _between(0, 1),
    "late_bars": _between(0, 1),
}
_DATA: dict[str, Kind] = {
    "name": _text,
    "root": _text,
    "mixes": _texts,
    "loops": _texts,
    "negatives": _one_of(*STRATEGIES),
    "artefact_control": _flag,
    "transposed_negatives": _flag,
    "validation_windows": _whole(1, 10_000),
    "chunks": _chunks,
    "phrases": _phrases,
    "batch_size": _whole(1, 16_384),
    "num_workers": _whole(0, 128),  # each is a process
}
_LOGGER: dict[str, Kind] = {
    "name": _one_of("csv", "wandb"),
    "project": _project,
    "offline": _flag,
}
# What else is in the block is its network's to check.
_MODEL: dict[str, Kind] = {
    "network": _text,
    "view": _one_of("mixes", "loops", "stems", "phrases"),
    "learning_rate": lambda value: _between(0, 1000)(value) and value > 0,
    "weight_decay": _between(0, 1000),
    "unlabelled": _one_of("none", "lsro", "pseudo"),
    "target": _one_of("stem", "submix"),
    "chunk_s": _chunk_s,
    "bars": _lengths,
}
_TOP: dict[str, Kind] = {
    "name": _text,
    "seed": _whole(0, 2**32 - 1),
    "init_from": _text_or_none,
    "model": _block,
    "data": _block,
    "trainer": _block,
    "logger": _block,
    "made_with": _block,
}
_BLOCKS = {"trainer": _TRAINER, "data": _DATA, "logger": _LOGGER}
# The others came later, or are of some views only.
_NEEDED: dict[str, tuple[str, ...]] = {
    "": ("name", "seed", "model", "data", "trainer", "logger"),
    "trainer": (
        *("accelerator", "precision", "max_epochs", "patience", "gradient_clip"),
        "progress_every",
    ),
    "data": ("name", "root", "batch_size", "num_workers"),
    "logger": ("name",),
    "model": ("network", "sizes", "frontend", "view", "learning_rate"),
}
_NEEDED_OF_VIEW: dict[str, dict[str, tuple[str, ...]]] = {
    "mixes": {
        "model": ("unlabelled",),
        "data": ("artefact_control", "transposed_negatives", "validation_windows"),
    },
    "loops": {"data": ("negatives",)},
    "stems": {"model": ("target", "chunk_s", "weight_decay"), "data": ("chunks",)},
    "phrases": {"model": ("bars", "weight_decay"), "data": ("phrases",)},
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
    model = config["model"]
    _require(model, {**dict.fromkeys(model, _anything), **_MODEL}, "model", run)
    for block, names in _NEEDED_OF_VIEW[model["view"]].items():
        _require_there(config[block], names, block, run)
    if "devices" in config["trainer"]:
        _require_there(config["trainer"], ("num_nodes", "timeout_s"), "trainer", run)
    if config["logger"]["name"] == "wandb":
        _require_there(config["logger"], ("project", "offline"), "logger", run)
    try:
        require_sane(model)
    except CheckpointError as error:
        raise CheckpointError(f"{run / 'config.yaml'}: {error}") from error
    return dict(config)


def _require(values: Mapping[str, Any], kinds: Mapping[str, Kind], block: str, run: Path) -> None:
    before = f"{block}." if block else ""
    for name, value in values.items():
        if name not in kinds:
            raise _error(run, f"{before}{name}", "is no setting of a run")
        if not kinds[name](value):
            raise _error(run, f"{before}{name}", f"cannot be {shown(value)}")
    _require_there(values, _NEEDED[block], block, run)


def _require_there(
    values: Mapping[str, Any], names: tuple[str, ...], block: str, run: Path
) -> None:
    for name in names:
        if name not in values:
            raise _error(run, f"{block}.{name}".lstrip("."), "is missing")


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
