"""Networks of others, loaded through transformers from a folder or from their hub."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from mashnet.errors import ConfigError


def load_pretrained(
    weights: str, *, network: str, processor: str, called: str, setting: str
) -> tuple[Any, Any]:
    """Load a processor and a network in evaluation mode; no code comes with them.

    Args:
        weights: a local folder with both, or an id of the Hugging Face hub.
        network: name of the class in transformers.
        processor: likewise, of what prepares its input.
        called: what messages call the network.
        setting: what the user named the weights by.

    Raises:
        ConfigError: if transformers is not installed, or the weights cannot be had or lack some.
    """
    try:
        import transformers
        from transformers.utils import logging
    except ImportError as error:
        raise ConfigError(
            f"{called} needs transformers ({error}): install it with `uv sync --extra clap`"
        ) from error
    shown = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()  # the other towers' weights are not missed
    local = Path(weights).is_dir()
    try:
        with torch.inference_mode(False):
            prepare = getattr(transformers, processor).from_pretrained(
                weights, local_files_only=local
            )
            loaded, report = getattr(transformers, network).from_pretrained(
                weights, local_files_only=local, weights_only=True,
                dtype=torch.float32, output_loading_info=True,
            )  # fmt: skip
    # Hub clients fail in many ways, and none of them is a crash of ours.
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise ConfigError(
            f"{setting}={weights} cannot be loaded as {called}: name a local folder with the "
            f"model and its {processor}, or a hub id that can be reached ({reason})"
        ) from error
    finally:
        if shown[0]:
            logging.enable_progress_bar()
        logging.set_verbosity(shown[1])
    # position_ids are numbers 0, 1, 2 … that some versions saved and others did not.
    missing = sorted(key for key in report["missing_keys"] if not key.endswith("position_ids"))
    if missing:
        raise ConfigError(
            f"{setting}={weights} is no {called}: {len(missing)} weights are missing, the first "
            f"is {missing[0]}"
        )
    return prepare, loaded.eval().requires_grad_(False)
