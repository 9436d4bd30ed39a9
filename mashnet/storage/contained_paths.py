"""Paths that a database's tables name: plain names only, and inside the database's folder.

Reading follows symbolic links as long as they end inside (`inside`). Writing and deleting follow
none (`place`): a link in a stranger's folder would choose whose files are written or deleted. The
root itself is what the user named, and may be a link.
"""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePath
from typing import Any

from mashnet.errors import DatabaseError
from mashnet.storage.store_path import StorePath

# A name is one step of a path, on every system: no folder, no drive, nothing hidden, no ".."
PLAIN_NAME = r"^[^./\\:\x00-\x1f\x7f][^/\\:\x00-\x1f\x7f]*$"
MOST_NAME_BYTES = 200  # disks take 255, and names of files hold more than an id
_PLAIN = re.compile(PLAIN_NAME.replace("$", r"\Z"))


def is_plain_name(name: object) -> bool:
    """Return whether something may be an id: the name of one file or folder, and nothing else."""
    return (
        isinstance(name, str)
        and _PLAIN.match(name) is not None
        and len(name.encode("utf-8", "surrogatepass")) <= MOST_NAME_BYTES
    )


def place(root: Path, *names: str | PurePath) -> Path:
    """Return where something is written or deleted in a folder that may be a stranger's.

    Args:
        root: what the user named; it may be a link.
        names: the steps from there, each a plain name; a relative path stands for its steps.

    Raises:
        DatabaseError: if a name is none, or there is a symbolic link on the way or at its end.
    """
    steps: list[str] = []
    for name in names:
        steps += name.parts if isinstance(name, PurePath) else (name,)
    for step in steps:
        if not is_plain_name(step):
            raise DatabaseError(
                f"{root}: {shown(step)} is no name of a file or folder in it; nothing was written "
                "or deleted there"
            )
    found = root.joinpath(*steps)
    if isinstance(root, StorePath):
        return found  # there are no links in stores
    way = os.fspath(root)
    for step in steps:
        way = os.path.join(way, step)
        if os.path.islink(way):
            raise DatabaseError(
                f"{way} is a symbolic link; nothing is written or deleted through links in a "
                "folder. Put what it leads to in its place, and the same command goes on"
            )
    return found


def inside(root: Path, path: Any, what: str) -> Path:
    """Return the file of a folder that a row names, symbolic links followed.

    Args:
        root: of the database, or of another folder that may be a stranger's.
        path: from there, as the row has it.
        what: whose path it is, for messages.

    Raises:
        DatabaseError: if it leads elsewhere, or nowhere.
    """
    try:
        if "\0" in os.fspath(path):
            raise ValueError("a NUL in it")
        found = (root / path).resolve()
        within = found.is_relative_to(root.resolve())
    except (TypeError, ValueError, OSError, RuntimeError) as error:
        raise DatabaseError(f"{root}: the path of {what} is none: {shown(path)}") from error
    if not within:
        raise DatabaseError(f"{root}: the path of {what} leaves its folder: {shown(path)}")
    return found


def shown(value: object) -> str:
    """Return what a stranger wrote as a message shows it: short, and without control characters."""
    return repr(str(value)[:100])
