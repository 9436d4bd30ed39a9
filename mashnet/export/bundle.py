"""Writing a bundle: the folder that a mashup tool loads.

model.safetensors   the weights, without optimiser state or pickles
config.yaml         everything needed to turn audio into a score
README.md           the model card
selfcheck.json      digests of the files, and a probe with the score it must give
model.onnx          on request: sound in, score out, for programs without torch (docs/onnx.md)
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import yaml
from safetensors.torch import save

from mashnet.errors import ConfigError, require_one_of
from mashnet.export.model_card import model_card
from mashnet.export.onnx_files import FILES as ONNX_FILES
from mashnet.export.onnx_files import onnx_files, require_exportable
from mashnet.files import TEMPORARY_SUFFIX, remove_leftovers, write_json, written_atomically
from mashnet.models.loading import folder_of, load_scorer, read_config
from mashnet.models.selfcheck import make_selfcheck
from mashnet.models.trained import TrainedScorer

FORMATS = ("bundle", "onnx")
BUNDLE_SCHEMA_VERSION = 1
_DATA = (
    "name",
    "root",
    "artefact_control",
    "negatives",
    "chunks",
)  # what of the data block is kept


def export_bundle(checkpoint: Path, out: Path, *, format: str = "bundle") -> Path:
    """Export a run (its best checkpoint) or one .ckpt of it, or a bundle once more.

    Args:
        checkpoint: a run folder, a .ckpt in its checkpoints/, or a bundle, which may be `out`.
        out: the bundle's folder; made if absent, replaced file by file if it is a bundle.
        format: bundle; or onnx for the same and ONNX files beside it.

    Returns:
        `out`, after it was loaded and passed its self-check.

    Raises:
        CheckpointError: if the checkpoint cannot be loaded.
        ConfigError: if `out` holds something that is not a bundle, or there is no ONNX to be had.
    """
    require_one_of("format", format, FORMATS)
    if out.exists() and not _may_be_replaced(out):
        raise ConfigError(f"out={out} exists and is not a bundle; choose a new folder")
    scorer = load_scorer(checkpoint)
    if format == "onnx":
        require_exportable(scorer)
    if out.exists():
        remove_leftovers(out)
        # Of other weights, they would stand beside these.
        for name in ONNX_FILES:
            (out / name).unlink(missing_ok=True)
    source = folder_of(checkpoint)
    config = read_config(source)
    if not _is_bundle(source):
        _write(out, _files_of_run(source, config, scorer))
    elif not out.exists() or not source.samefile(out):
        names = ("model.safetensors", "config.yaml", "README.md")
        _write(out, {name: (source / name).read_bytes() for name in names})
    check = make_selfcheck(scorer, out)
    write_json(out / "selfcheck.json", check)  # a whole bundle, whatever becomes of the next step
    if format == "onnx":
        files = onnx_files(scorer, check, config["made_with"])
        _write(out, files)
        digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
        check["sha256"].update(digests)
        write_json(out / "selfcheck.json", check)
    load_scorer(out)
    return out


def _files_of_run(run: Path, config: dict[str, Any], scorer: TrainedScorer) -> dict[str, bytes]:
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
    return {
        "model.safetensors": save(state),
        "config.yaml": yaml.safe_dump(bundled, sort_keys=False, allow_unicode=True).encode(),
        "README.md": model_card(run, config, scorer).encode(),
    }


def _write(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        with written_atomically(folder / name) as temporary:
            temporary.write_bytes(content)


def _is_bundle(folder: Path) -> bool:
    return (folder / "model.safetensors").is_file() and (folder / "config.yaml").is_file()


def _may_be_replaced(out: Path) -> bool:
    """Return whether a path is a folder that holds nothing, a bundle, or the beginning of one."""
    if not out.is_dir():
        return False
    # The weights are written first: a killed export leaves them alone, or not even them.
    begun = all(p.name == "model.safetensors" or _is_leftover(p) for p in out.iterdir())
    return begun or _is_bundle(out)


def _is_leftover(path: Path) -> bool:
    return path.name.startswith(".") and TEMPORARY_SUFFIX in path.name
