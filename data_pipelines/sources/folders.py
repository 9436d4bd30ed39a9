"""Walking folders of music: each once, in order, and a line for what cannot be read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from data_pipelines.sources.song import Reject, printable
from mashnet.audio.io import AUDIO_SUFFIXES
from mashnet.errors import MashnetError


def require_folder(root: Path, setting: str = "source.root") -> Path:
    """Return `root` if it is a folder; raises MashnetError naming the setting otherwise."""
    if not root.is_dir():
        what = "is not a folder" if root.exists() else "does not exist"
        raise MashnetError(f"{setting}: {root} {what}")
    return root


def audio_files(
    folder: Path, seen: set[tuple[int, int]]
) -> tuple[list[Path], list[Path], list[Reject]]:
    """List one folder: audio files by suffix, sub-folders not yet seen, and problems.

    Hidden names are skipped. Symbolic links are followed, but no folder is entered twice, so that
    a loop of links ends.

    Args:
        folder: the folder.
        seen: (device, inode) of the folders visited so far; this one is added.
    """
    files: list[Path] = []
    folders: list[Path] = []
    problems: list[Reject] = []
    seen.add(_identity(folder))
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        return [], [], [_problem(folder, f"cannot be looked into: {error.strerror}")]
    for name in names:
        path = folder / name
        if name.startswith("."):
            continue
        try:
            status = path.stat()
        except OSError as error:
            reason = error.strerror or str(error)
            if path.is_symlink():
                reason = f"a symbolic link that leads nowhere ({reason})"
            problems.append(_problem(path, reason))
            continue
        if path.is_dir():
            if (status.st_dev, status.st_ino) in seen:
                problems.append(_problem(path, "leads to a folder that was already visited"))
            else:
                folders.append(path)
        elif path.suffix.lower() in AUDIO_SUFFIXES:
            files.append(path)
    return files, folders, problems


def walk(root: Path) -> Iterator[tuple[Path, list[Path], list[Path], list[Reject]]]:
    """Yield (folder, audio files, sub-folders, problems) for `root` and all below it.

    The caller may empty the list of sub-folders to keep the walk out of them.
    """
    seen: set[tuple[int, int]] = set()
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        if _identity(folder) in seen:
            yield folder, [], [], [_problem(folder, "leads to a folder that was already visited")]
            continue
        files, folders, problems = audio_files(folder, seen)
        yield folder, files, folders, problems
        waiting += reversed(folders)


def _identity(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino


def _problem(path: Path, reason: str) -> Reject:
    return Reject(input=printable(path), stage="source", reason=reason)
