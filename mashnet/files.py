"""Names and files that survive a kill: content hashes and atomic writes."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TEMPORARY_SUFFIX = ".partial"


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
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


@contextlib.contextmanager
def written_atomically(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it into place when the block ends well.

    A reader sees the old file or the new one, never half of it; after an error or a kill the
    old one stands. What a kill leaves ends in `.partial` (`remove_leftovers` clears it).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # The real suffix stays last: encoders choose the format by it.
    handle, name = tempfile.mkstemp(
        prefix=f".{path.stem}.", suffix=TEMPORARY_SUFFIX + path.suffix, dir=path.parent
    )
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)  # mkstemp's 0600 would hide the file from other users
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def remove_leftovers(root: Path) -> int:
    """Delete temporary files that a killed run left under `root`; return how many."""
    leftovers = [p for p in root.rglob(f".*{TEMPORARY_SUFFIX}*") if p.is_file()]
    for path in leftovers:
        path.unlink(missing_ok=True)
    return len(leftovers)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented UTF-8 JSON, atomically."""
    with written_atomically(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", "utf-8")
