"""Writing to a store in one step: a reader finds the old file or the new one, never half of it.

What is written is made in a temporary file of this machine first. An object store then takes it as
a whole (or in parts that become an object when the last is there, and are given up after an error);
in another store it is sent under a name beside its own and renamed.
"""

from __future__ import annotations

import contextlib
import errno
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mashnet.errors import StorageError
from mashnet.storage.store_path import StorePath
from mashnet.storage.write_lock import (
    TEMPORARY_SUFFIX,
    remove_if_left,
    require_room,
    writing,
)

_PREFIX = "mashnet-upload"  # how temporary files of this machine begin


@contextlib.contextmanager
def uploaded(path: StorePath) -> Iterator[Path]:
    """Yield a local temporary file; it becomes `path` when the block ends well.

    Raises:
        StorageError: if the store fails, or this machine has no room for the temporary file.
    """
    folder = tempfile.gettempdir()
    handle, name = tempfile.mkstemp(
        prefix=f"{_PREFIX}.", suffix=f"{TEMPORARY_SUFFIX}{path.suffix}", dir=folder
    )
    temporary = Path(name)
    with writing(handle):
        try:
            try:
                yield temporary
            except Exception as error:
                if not isinstance(error, OSError) or error.errno is None:  # numpy's, FAISS's …
                    require_room(temporary, temporary)
                raise
            _send(temporary, path)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise StorageError(
                    f"{path}: {folder}, where it is made before it is sent, is full. Make room "
                    "there, or set TMPDIR to another folder; then the same command goes on"
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
            beside = path.with_name(
                f".{path.stem}.{secrets.token_hex(4)}{TEMPORARY_SUFFIX}{path.suffix}"
            )
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


def remove_abandoned(root: StorePath, *, below: bool = True) -> int:
    """Remove what killed runs left of writes under `root`, there and here; return how many.

    A store does not say who began an upload: what another run is sending to the same place at this
    moment is given up, too, and that run ends with an error (on S3 files of 100 MB or more; on
    stores that rename, such as SFTP, all).

    Args:
        root: where to look.
        below: whether to look into its folders, too.
    """
    here = list(Path(tempfile.gettempdir()).glob(f"{_PREFIX}.*{TEMPORARY_SUFFIX}*"))
    removed = sum(remove_if_left(local) for local in here)
    if not root.is_object:
        pattern = f".*{TEMPORARY_SUFFIX}*"
        for beside in root.rglob(pattern) if below else root.glob(pattern):
            beside.unlink(missing_ok=True)
            removed += 1
        return removed
    filesystem, inner = root.located()
    if hasattr(filesystem, "call_s3"):
        try:
            # Who may not ask which uploads there are (a right of its own) can still write.
            with contextlib.suppress(StorageError), root.errors():
                removed += _abort_uploads(filesystem, inner, below)
        except FileNotFoundError as error:
            raise _no_bucket(root) from error
    return removed


def _no_bucket(path: StorePath) -> StorageError:
    return StorageError(
        f"{path}: cannot be written, its bucket or folder does not exist; make it first"
    )


def _abort_uploads(filesystem: Any, inner: str, below: bool) -> int:
    """Give up uploads in parts that were begun in a folder of an S3 store; return how many."""
    bucket, _, prefix = inner.partition("/")
    prefix = f"{prefix.rstrip('/')}/" if prefix else ""
    aborted = 0
    more: dict[str, str] = {}
    while True:
        page = filesystem.call_s3("list_multipart_uploads", Bucket=bucket, Prefix=prefix, **more)
        for upload in page.get("Uploads", []):
            if not below and "/" in upload["Key"][len(prefix) :]:
                continue
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
