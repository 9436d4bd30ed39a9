"""Environments with mashnet's wheel and some of its extras, made without a network.

What is installed beside the tests is linked into a folder of its own, package by package: only what
the wheel's own metadata asks for, and what that asks for, is there.
"""

from __future__ import annotations

import importlib.metadata as metadata
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]


def build_wheel(folder: Path) -> Path:
    """Build mashnet's wheel with the builder that is installed."""
    program = "import sys, hatchling.build as b; print(b.build_wheel(sys.argv[1]))"
    built = subprocess.run(
        [sys.executable, "-c", program, str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return folder / built.stdout.split()[-1]


@dataclass(frozen=True)
class Environment:
    """A Python with a folder of packages of its own."""

    packages: Path

    def run(self, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        """Run this Python with nothing but the folder to import from."""
        # -S leaves out site-packages, and with them the tests' own packages.
        environment = {**os.environ, "PYTHONPATH": str(self.packages), "MPLCONFIGDIR": str(cwd)}
        return subprocess.run(
            [sys.executable, "-S", *arguments],
            cwd=cwd,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )


def make_environment(folder: Path, wheel: Path, extras: Iterable[str] = ()) -> Environment:
    """Unpack the wheel into a folder, and link what it needs beside it."""
    packages = folder / "packages"
    packages.mkdir(parents=True)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    asked = metadata.PathDistribution(next(packages.glob("*.dist-info")))
    for name in sorted(_needed(asked.requires or [], set(extras))):
        _link(metadata.distribution(name), packages)
    return Environment(packages)


def _needed(requirements: Sequence[str], extras: set[str]) -> set[str]:
    """Return the names of all that some requirements bring, directly or not."""
    found: dict[str, set[str]] = {}
    waiting = [(Requirement(text), frozenset(extras)) for text in requirements]
    own = {canonicalize_name("mashnet"): list(requirements)}
    while waiting:
        requirement, given = waiting.pop()
        marker = requirement.marker
        if marker and not any(marker.evaluate({"extra": extra}) for extra in given or {""}):
            continue
        name = canonicalize_name(requirement.name)
        wanted = set(requirement.extras)
        if name in found and wanted <= found[name]:
            continue
        found.setdefault(name, set()).update(wanted)
        theirs = own.get(name)
        if theirs is None:
            theirs = metadata.distribution(name).requires or []
        waiting += [(Requirement(text), frozenset({"", *wanted})) for text in theirs]
    return set(found) - set(own)


def _link(distribution: metadata.Distribution, packages: Path) -> None:
    """Link each folder and file that a package brings, whole, so that it stays compiled."""
    for top in sorted({file.parts[0] for file in distribution.files or []}):
        source, target = Path(str(distribution.locate_file(top))), packages / top
        if top != ".." and not target.exists() and source.exists():
            target.symlink_to(source)
