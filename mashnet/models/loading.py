"""From a name, a run or a bundle to a Scorer.

`config.yaml` of a run and of a bundle has the same `model` block: `network` (a name of
mashnet.models.networks), `sizes` (its constructor's arguments) and `frontend`. Weights come through
one door (mashnet.models.weights), which unpickles nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch import nn

from mashnet.errors import CheckpointError, ConfigError, near_miss
from mashnet.extras import lacking
from mashnet.invocation import program, setting
from mashnet.models.limits import require_sane
from mashnet.models.networks import scorer_class_of
from mashnet.models.selfcheck import check_files, check_score
from mashnet.models.text_encoder_path import chosen_by_user
from mashnet.models.torch_file import torch_file
from mashnet.models.trained import TrainedScorer
from mashnet.models.weights import (
    Weights,
    require_weights,
    safetensors_weights,
    weights_in,
    with_weights,
)
from mashnet.storage.bounded_yaml import bounded_text, plain_yaml

NETWORK_PREFIX = "network."  # where a LightningModule keeps the network in its state


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
    scorer = scorer_class_of(settings["network"])
    frontend = scorer.frontend_of(settings["frontend"])

    def build() -> nn.Module:
        return scorer.network_class(**settings["sizes"])

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
        f"{program('train')} {setting('resume', run)}"
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
