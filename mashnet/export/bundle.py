"""Writing a bundle: the folder that a mashup tool loads.

model.safetensors   the weights, without optimiser state or pickles
config.yaml         everything needed to turn audio into a score
README.md           the model card
selfcheck.json      digests of the files, and a probe with the score it must give
"""

from __future__ import annotations

from pathlib import Path

import yaml
from safetensors.torch import save_file

from mashnet.errors import ConfigError
from mashnet.export.card import model_card
from mashnet.files import write_json, written_atomically
from mashnet.models.loading import folder_of, load_scorer, read_config
from mashnet.models.selfcheck import make_selfcheck

BUNDLE_SCHEMA_VERSION = 1
_DATA = (
    "name",
    "root",
    "artefact_control",
    "negatives",
    "chunks",
)  # what of the data block is kept


def export_bundle(checkpoint: Path, out: Path) -> Path:
    """Export a run (its best checkpoint) or one .ckpt of it.

    Args:
        checkpoint: a run folder or a .ckpt in its checkpoints/.
        out: the bundle's folder; made if absent, replaced file by file if it is a bundle.

    Returns:
        `out`, after it was loaded and passed its self-check.

    Raises:
        CheckpointError: if the checkpoint cannot be loaded.
        ConfigError: if `out` holds something that is not a bundle.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())) and not _is_bundle(out):
        raise ConfigError(f"out={out} exists and is not a bundle; choose a new folder")
    scorer = load_scorer(checkpoint)
    run = folder_of(checkpoint)
    config = read_config(run)
    bundled = {
        "schema_version": BUNDLE_SCHEMA_VERSION,
        "name": config["name"],
        "model": config["model"],
        "data": {key: config["data"][key] for key in _DATA if key in config["data"]},
        "seed": config["seed"],
        "made_with": config["made_with"],
    }
    state = {
        key: value.detach().cpu().contiguous() for key, value in scorer.network.state_dict().items()
    }
    with written_atomically(out / "model.safetensors") as temporary:
        save_file(state, temporary)
    with written_atomically(out / "config.yaml") as temporary:
        temporary.write_text(yaml.safe_dump(bundled, sort_keys=False, allow_unicode=True), "utf-8")
    with written_atomically(out / "README.md") as temporary:
        temporary.write_text(model_card(run, config, scorer), "utf-8")
    write_json(out / "selfcheck.json", make_selfcheck(scorer, out))
    load_scorer(out)
    return out


def _is_bundle(folder: Path) -> bool:
    return (folder / "model.safetensors").is_file() and (folder / "config.yaml").is_file()
