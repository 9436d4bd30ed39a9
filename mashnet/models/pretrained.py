"""Networks of others, loaded through transformers from a folder or from their hub."""

from __future__ import annotations

from logging import ERROR, getLogger
from pathlib import Path
from typing import Any

import torch

from mashnet.errors import ConfigError
from mashnet.extras import advice

# Numbers 0, 1, 2 … that some versions saved and others did not; what stands for masked frames,
# of which there are none outside training.
_NOT_MISSED = ("position_ids", "masked_spec_embed")


def load_pretrained(
    weights: str,
    *,
    network: str,
    processor: str,
    called: str,
    setting: str,
    trust_remote_code: bool = False,
) -> tuple[Any, Any]:
    """Load a processor and a network in evaluation mode.

    Args:
        weights: a local folder with both, or an id of the Hugging Face hub.
        network: name of the class in transformers.
        processor: likewise, of what prepares its input.
        called: what messages call the network.
        setting: what the user named the weights by.
        trust_remote_code: whether code that comes with the weights may run. Without it, classes
            that transformers has are all there is, and nobody is asked on a terminal.

    Raises:
        ConfigError: if transformers is not installed, the weights cannot be had or lack some, or
            they come with code that may not run.
    """
    try:
        import transformers
        from transformers.utils import logging
    except ImportError as error:
        raise ConfigError(
            f"{called} needs transformers ({error}); get it: {advice('clap')}"
        ) from error
    hub = getLogger("huggingface_hub")  # which tells of every attempt to reach it
    shown = logging.is_progress_bar_enabled(), logging.get_verbosity(), hub.level
    hub.setLevel(ERROR)
    logging.disable_progress_bar()
    logging.set_verbosity_error()  # the other towers' weights are not missed
    local = Path(weights).is_dir()
    try:
        # On the CPU also where another network, that needs this one, is only laid out ("meta").
        with torch.inference_mode(False), torch.device("cpu"):
            prepare = getattr(transformers, processor).from_pretrained(
                weights, local_files_only=local, **_trust(processor, trust_remote_code)
            )
            loaded, report = getattr(transformers, network).from_pretrained(
                weights, local_files_only=local, weights_only=True,
                dtype=torch.float32, output_loading_info=True,
                **_trust(network, trust_remote_code),
            )  # fmt: skip
    # Hub clients fail in many ways, and none of them is a crash of ours.
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        if "trust_remote_code" in str(error) and not trust_remote_code:
            where = setting.rsplit(".", 1)[0]
            raise ConfigError(
                f"{setting}={weights} comes with code of its own: read it, and let it run with "
                f"{where}.trust_remote_code=true"
            ) from error
        raise ConfigError(
            f"{setting}={weights} cannot be loaded as {called}: name a local folder with the "
            f"model and its {processor}, or a hub id that can be reached ({reason})"
        ) from error
    finally:
        if shown[0]:
            logging.enable_progress_bar()
        logging.set_verbosity(shown[1])
        hub.setLevel(shown[2])
    missing = sorted(key for key in report["missing_keys"] if not key.endswith(_NOT_MISSED))
    if missing:
        raise ConfigError(
            f"{setting}={weights} is no {called}: {len(missing)} weights are missing, the first "
            f"is {missing[0]}"
        )
    return prepare, loaded.eval().requires_grad_(False)


def _trust(name: str, trust_remote_code: bool) -> dict[str, bool]:
    """Return the setting for those classes that know it: what a class is for is what it runs."""
    return {"trust_remote_code": trust_remote_code} if name.startswith("Auto") else {}
