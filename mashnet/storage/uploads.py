"""Writing to a store in one step: a reader finds the old file or the new one, never half of it.

What is written is made in a temporary file of this machine first. An object store then takes it as
a whole (or in parts that become an object when the last is there, and are given up after an error);
in another store it is sent under a name beside its own and renamed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mashnet.errors import StorageError
from mashnet.storage.processes import runs
from mashnet.storage.store_path import StorePath

_SENT = ".partial"  # what a name beside the real one holds, as in mashnet.files
_PREFIX = "mashnet-upload"  # how temporary files of this machine begin


@contextlib.contextmanager
def uploaded(path: StorePath) -> Iterator[Path]:
    """Yield a local temporary file; it becomes `path` when the block ends well.

    Raises:
        StorageError: if the store fails, or this machine has no room for the temporary file.
    """
    folder = tempfile.gettempdir()
    # The process is named: who clears up later sees whether it still runs.
    handle, name = tempfile.mkstemp(
        prefix=f"{_PREFIX}.{os.getpid()}.", suffix=f"{_SENT}{path.suffix}", dir=folder
    )
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        _send(temporary, path)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageError(
                f"{path}: {folder}, where it is made before it is sent, is full. Make room there, "
                "or set TMPDIR to another folder; then the same command goes on"
            ) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def _send(local: Path, path: StorePath) -> None:
    filesystem, inner = path.located()
    with path.errors():
        try:
            if path.is_object:
                filesystem.put_file(str(local), inner)
                return
            _require_rename(filesystem, path)
            filesystem.makedirs(path.parent.located()[1], exist_ok=True)
            beside = path.with_name(f".{path.stem}.{secrets.token_hex(4)}{_SENT}{path.suffix}")
            _, beside_inner = beside.located()
            try:
                filesystem.put_file(str(local), beside_inner)
                filesystem.mv(beside_inner, inner)
            except BaseException:
                with contextlib.suppress(Exception):
                    filesystem.rm_file(beside_inner)
                raise
        except FileNotFoundError as error:
            raise _no_bucket(path) from error
        except NotImplementedError as error:
            raise StorageError(f"{path}: this kind of store can only be read") from error


def _require_rename(filesystem: Any, path: StorePath) -> None:
    """Raise a StorageError where a rename would be a copy, half of which could be seen."""
    from fsspec import AbstractFileSystem

    if type(filesystem).mv is AbstractFileSystem.mv:
        raise StorageError(
            f"{path}: this kind of store can be read, but not written in one step; write to "
            "s3://, gs://, az:// or sftp://"
        )


def remove_abandoned(root: StorePath) -> int:
    """Remove what killed runs left of writes under `root`, there and here; return how many."""
    removed = 0
    for local in Path(tempfile.gettempdir()).glob(f"{_PREFIX}.*{_SENT}*"):
        if not runs(local.name.split(".")[1]):
            local.unlink(missing_ok=True)
            removed += 1
    if not root.is_object:
        for beside in root.rglob(f".*{_SENT}*"):
            beside.unlink(missing_ok=True)
            removed += 1
        return removed
    filesystem, inner = root.located()
    if hasattr(filesystem, "call_s3"):
        try:
            # Who may not ask which uploads there are (a right of its own) can still write.
            with contextlib.suppress(StorageError), root.errors():
                removed += _abort_uploads(filesystem, inner)
        except FileNotFoundError as error:
            raise _no_bucket(root) from error
    return removed


def _no_bucket(path: StorePath) -> StorageError:
    return StorageError(
        f"{path}: cannot be written, its bucket or folder does not exist; make it first"
    )


def _abort_uploads(filesystem: Any, inner: str) -> int:
    """Give up uploads in parts that were begun under a prefix of an S3 store; return how many."""
    bucket, _, prefix = inner.partition("/")
    prefix = f"{prefix.rstrip('/')}/" if prefix else ""
    aborted = 0
    more: dict[str, str] = {}
    while True:
        page = filesystem.call_s3("list_multipart_uploads", Bucket=bucket, Prefix=prefix, **more)
        for upload in page.get("Uploads", []):
            filesystem.call_s3(
                "abort_multipart_upload",
                Bucket=bucket,
                Key=upload["Key"],
                UploadId=upload["UploadId"],
            )
            aborted += 1
        if not page.get("IsTruncated"):
            return aborted
        more = {
            "KeyMarker": page["NextKeyMarker"],
            "UploadIdMarker": page["NextUploadIdMarker"],
        }
