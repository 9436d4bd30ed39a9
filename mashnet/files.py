"""Names and files that survive a kill: content hashes and atomic writes."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import tempfile
import unicodedata
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Any

from mashnet.storage.contained_paths import place
from mashnet.storage.regular_files import opened
from mashnet.storage.store_path import StorePath
from mashnet.storage.uploads import remove_abandoned, uploaded
from mashnet.storage.write_lock import (
    TEMPORARY_SUFFIX,
    remove_if_left,
    require_room,
    writing,
)

_DEVICES = re.compile("con|prn|aux|nul|com[0-9]|lpt[0-9]")


def plain_name(text: str, otherwise: str, *, most: int = 80) -> str:
    """Return text as a name of a file, without its suffix, that every system takes.

    Small letters, digits and dashes: "Ça va?" becomes "ca-va", and "con", which is a device of
    Windows, "con-". Two texts may get one name.

    Args:
        text: from anywhere.
        otherwise: the name if nothing of the text is left.
        most: characters.
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:most].strip("-") or otherwise
    return f"{name}-" if _DEVICES.fullmatch(name) else name


def content_id(*parts: bytes | str | int | float | list[Any] | tuple[Any, ...] | None) -> str:
    """Return 16 hex digits that depend on nothing but the parts, their types and their order."""
    digest = hashlib.blake2b(digest_size=8)
    for part in parts:
        if isinstance(part, bytes):
            encoded = b"b" + part
        else:
            encoded = b"j" + json.dumps(part, sort_keys=True, ensure_ascii=True).encode()
        digest.update(len(encoded).to_bytes(8, "big"))
        digest.update(encoded)
    return digest.hexdigest()


def file_digest(path: Path) -> str:
    """Return the blake2b digest (32 hex digits) of a file's bytes, read in blocks."""
    digest = hashlib.blake2b(digest_size=16)
    with opened(path) as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


@contextlib.contextmanager
def written_atomically(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it into place when the block ends well.

    A reader sees the old file or the new one, never half of it; after an error or a kill the
    old one stands. What a kill leaves is named `.partial` (`remove_leftovers` clears it); while the
    block runs the file is locked, so that another run's clearing up passes it over.
    A file of a store is made here and then sent in one step.
    """
    if isinstance(path, StorePath):
        with uploaded(path) as temporary:
            yield temporary
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        # The real suffix stays last: encoders choose the format by it.
        handle, name = tempfile.mkstemp(
            prefix=f".{path.stem}.", suffix=TEMPORARY_SUFFIX + path.suffix, dir=path.parent
        )
    except OSError as error:
        error.filename = str(path)  # what somebody can find
        raise
    temporary = Path(name)
    with writing(handle):
        try:
            yield temporary
            umask = os.umask(0)
            os.umask(umask)
            temporary.chmod(0o666 & ~umask)  # mkstemp's 0600 would hide it from other users
            os.replace(temporary, path)
        except OSError as error:
            if error.errno is None:  # numpy's
                require_room(temporary, path)
            elif error.filename in (None, str(temporary)):
                error.filename = str(path)
            raise
        except Exception:
            require_room(temporary, path)
            raise
        finally:
            # Nothing can be removed from a disk that is read-only.
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)


def remove_leftovers(root: Path, *, below: bool = True) -> int:
    """Delete temporary files that a killed run left; return how many.

    What a run that is alive still writes stays (in a store, see `remove_abandoned`).

    Args:
        root: where to look.
        below: whether to look into its folders, too.
    """
    if isinstance(root, StorePath):
        return remove_abandoned(root, below=below)
    pattern = f".*{TEMPORARY_SUFFIX}*"
    found = list(root.rglob(pattern) if below else root.glob(pattern))
    return sum(remove_if_left(path) for path in found if path.is_file())


def remove_folder(root: Path, *names: str | PurePath) -> None:
    """Delete a folder and what lies in it; nothing happens if it is not there.

    Args:
        root: the folder of the user's that it lies in; no link is followed from there.
        names: the steps from there, as `place` takes them.

    Raises:
        DatabaseError: if a name is none, or there is a symbolic link on the way.
    """
    if not names:
        raise ValueError("the root itself is never deleted")
    folder = place(root, *names)
    if isinstance(folder, StorePath):
        for path in folder.rglob("*"):
            path.unlink(missing_ok=True)
    else:
        shutil.rmtree(folder, ignore_errors=True)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented UTF-8 JSON, atomically."""
    with written_atomically(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", "utf-8")
