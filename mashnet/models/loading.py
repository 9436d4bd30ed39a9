"""From a name, a run or a bundle to a Scorer.

`config.yaml` of a run and of a bundle has the same `model` block: `network` (a module of
mashnet.models), `sizes` (its constructor's arguments) and `frontend`. Weights come through one door
(mashnet.models.weights), which unpickles nothing.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch import nn

import mashnet.models
from mashnet.errors import CheckpointError, ConfigError, near_miss, require_one_of
from mashnet.extras import lacking
from mashnet.models.allowed_text import chosen_by_user
from mashnet.models.limits import bounded_text, plain_yaml, require_sane
from mashnet.models.selfcheck import check_files, check_score
from mashnet.models.torch_file import torch_file
from mashnet.models.trained import TrainedScorer
from mashnet.models.weights import (
    Weights,
    require_weights,
    safetensors_weights,
    weights_in,
    with_weights,
)
from mashnet.typed import program

NETWORK_PREFIX = "network."  # where a LightningModule keeps the network in its state


Network = tuple[type[nn.Module], type[TrainedScorer]]


def networks() -> dict[str, Network]:
    """Find the networks: every module of mashnet.models with a network named as the module.

    All modules are imported for it; who wants one of them calls `network_of`.

    Returns:
        Module name → the network class and the Scorer class that the same module defines.
    """
    found = {}
    for name in _modules():
        with contextlib.suppress(ModuleNotFoundError):  # an extra's
            found[name] = _network_in(name)
    return {name: pair for name, pair in found.items() if pair is not None}


def network_of(name: str) -> Network:
    """Return a network class and its Scorer class, and import no other network's module.

    Raises:
        ConfigError: if there is no such network, naming the nearest and all there are.
    """
    found = _network_in(name) if name in _modules() else None
    return found or networks()[require_one_of("model.network", name, networks())]


def _modules() -> list[str]:
    return [info.name for info in pkgutil.iter_modules(mashnet.models.__path__)]


def _network_in(name: str) -> Network | None:
    module = importlib.import_module(f"mashnet.models.{name}")
    own = [c for c in vars(module).values() if inspect.isclass(c)]
    own = [c for c in own if c.__module__ == module.__name__]
    wanted = name.replace("_", "")
    network = [c for c in own if issubclass(c, nn.Module) and c.__name__.lower() == wanted]
    scorer = [c for c in own if issubclass(c, TrainedScorer)]
    return (network[0], scorer[0]) if network and scorer else None


def build_scorer(
    settings: dict[str, Any], *, name: str, weights: Weights | None = None
) -> TrainedScorer:
    """Build a Scorer from a `model` block.

    Args:
        settings: `network`, `sizes` and `frontend`.
        name: what tables call it.
        weights: that its network is to have; None: untrained ones.

    Raises:
        ConfigError: if there is no such network, naming the nearest and all there are.
        TooLarge: if it has more weights than the given ones.
        RuntimeError: if it has others.
        CheckpointError: if the given ones are damaged.
    """
    network, scorer = network_of(settings["network"])
    frontend = scorer.frontend_of(settings["frontend"])

    def build() -> nn.Module:
        return network(**settings["sizes"])

    made = build() if weights is None else with_weights(build, weights)
    return scorer(made, frontend, name=name)


def read_config(folder: Path) -> dict[str, Any]:
    """Return config.yaml of a run or bundle as plain values.

    Raises:
        CheckpointError: if it is missing or not a configuration with a model block.
    """
    path = folder / "config.yaml"
    if not path.is_file():
        raise CheckpointError(
            f"{folder} is neither a run nor a bundle: there is no config.yaml in it"
        )
    try:
        config = plain_yaml(bounded_text(path))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read: {' '.join(str(error).split())}") from error
    model = config.get("model") if isinstance(config, dict) else None
    if not isinstance(model, dict) or not {"network", "sizes", "frontend"} <= set(model):
        raise CheckpointError(f"{path} has no model block with network, sizes and frontend")
    return config


def checkpoint_of(run: Path) -> Path:
    """Return the checkpoint of a run to use: the best by validation, or else the last.

    Raises:
        CheckpointError: if the run has none.
    """
    for name in ("best.ckpt", "last.ckpt"):
        if (run / "checkpoints" / name).is_file():
            return run / "checkpoints" / name
    raise CheckpointError(
        f"{run} has no checkpoint yet. Let training finish an epoch, or go on with: "
        f"{program('train')} resume={run}"
    )


def folder_of(checkpoint: Path) -> Path:
    """Return the run or bundle folder of a checkpoint, which may be a file inside it.

    Raises:
        CheckpointError: if there is nothing at that path, naming the nearest that there is.
    """
    if not checkpoint.exists():
        parent = checkpoint.parent
        beside = [path.name for path in parent.iterdir()] if parent.is_dir() else []
        raise CheckpointError(
            f"there is no checkpoint {checkpoint}.{near_miss(checkpoint.name, beside)}"
        )
    if checkpoint.is_dir():
        return checkpoint
    parent = checkpoint.parent
    return parent.parent if parent.name == "checkpoints" else parent


def load_scorer(path: str | Path, *, text_weights: str | None = None) -> TrainedScorer:
    """Load a trained Scorer from a run folder, a .ckpt file inside one, or a bundle folder.

    Args:
        path: the folder or file.
        text_weights: where the text encoder lies that the network needs beside its own weights; see
            `chosen_by_user`.

    Raises:
        ConfigError: if the network needs a text encoder that the user has not named.
        CheckpointError: if the path is wrong, the file is damaged, or the weights belong to
            another network than config.yaml names.
    """
    path = Path(path)
    folder = folder_of(path)
    config = read_config(folder)
    weights = path
    if path.is_dir():
        bundled = path / "model.safetensors"
        weights = bundled if bundled.is_file() else checkpoint_of(folder)
    try:
        require_sane(config["model"])
    except CheckpointError as error:
        raise CheckpointError(f"{folder / 'config.yaml'}: {error}") from error
    sizes = chosen_by_user(config["model"]["sizes"], text_weights, str(folder))
    model = {**config["model"], "sizes": sizes}
    check = check_files(folder) if weights.suffix == ".safetensors" else None
    name = str(config.get("name", folder.name))
    try:
        with _weights_of(weights) as found:
            scorer = build_scorer(model, name=name, weights=found)
    except CheckpointError:
        raise
    except ConfigError as error:
        raise ConfigError(f"{folder / 'config.yaml'}: {error}") from error
    except ModuleNotFoundError as error:
        raise lacking(error) or error from error
    # Wrong settings fail in as many ways as networks use them; none may pass for a crash.
    except Exception as error:
        raise CheckpointError(
            f"{weights} does not hold the weights of {config['model']['network']} as "
            f"{folder / 'config.yaml'} describes it: {' '.join(str(error).split())[:300]}"
        ) from error
    if check is not None:
        check_score(scorer, folder, check)
    return scorer


@contextlib.contextmanager
def _weights_of(path: Path) -> Iterator[Weights]:
    """Open the weights of a bundle (safetensors) or of a run (a checkpoint of Lightning).

    Raises:
        CheckpointError: if the file is damaged or something else.
    """
    require_weights(path)
    if path.suffix == ".safetensors":
        with safetensors_weights(path) as found:
            yield found
        return
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(torch_file(path))
            state = file.values["state_dict"]
            weights = weights_in(path, file, state, prefix=NETWORK_PREFIX)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise CheckpointError(f"{path} is not a readable checkpoint: {reason}") from error
        yield weights
