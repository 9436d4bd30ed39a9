"""Writing to a store, against an S3 server and a wire that is cut."""

import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

import fsspec
import numpy as np
import pytest

from mashnet.errors import StorageError
from mashnet.files import file_digest, remove_leftovers, write_json, written_atomically
from mashnet.storage import write_lock as being_written
from mashnet.storage.paths import root_of
from mashnet.storage.uploads import remove_abandoned
from tests.storage.s3 import Wire

pytestmark = pytest.mark.enable_socket


def write(path: Path, content: bytes) -> None:
    with written_atomically(path) as temporary:
        temporary.write_bytes(content)


def pending_uploads(bucket: str) -> list[str]:
    answer = fsspec.filesystem("s3").call_s3("list_multipart_uploads", Bucket=bucket[5:])
    return [upload["Key"] for upload in answer.get("Uploads", [])]


@pytest.fixture(autouse=True)
def own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_what_is_written_is_read_back(bucket: str, own_temporary_folder: Path) -> None:
    path = root_of(bucket) / "db" / "a b" / "ü.json"
    write_json(path, {"a": [1, "ü"]})
    assert path.read_text("utf-8") == '{\n  "a": [\n    1,\n    "ü"\n  ]\n}\n'
    local = own_temporary_folder / "same.json"
    local.write_bytes(path.read_bytes())
    assert file_digest(path) == file_digest(local)
    local.unlink()
    assert list(own_temporary_folder.iterdir()) == []


def test_an_error_while_writing_leaves_the_old_file(bucket: str) -> None:
    path = root_of(bucket) / "a.bin"
    write(path, b"old")
    with pytest.raises(RuntimeError, match="mine"), written_atomically(path) as temporary:
        temporary.write_bytes(b"new")
        raise RuntimeError("mine")
    assert path.read_bytes() == b"old"


def test_a_cut_upload_is_sent_again(bucket: str, wire: Callable[..., Wire]) -> None:
    path = root_of(bucket) / "a.bin"
    content = np.random.default_rng(0).bytes(3_000_000)
    cut = wire(cut_after=1_000_000, cuts=1)
    write(path, content)
    assert len(cut.requests("PUT")) == 2
    assert path.read_bytes() == content


def test_a_wire_that_stays_cut_leaves_the_old_object_and_one_line(
    bucket: str,
    wire: Callable[..., Wire],
    own_temporary_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = root_of(bucket) / "a.bin"
    write(path, b"old")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")  # s3fs tries five times itself
    cut = wire(cut_after=1_000_000, cuts=10**9)
    with pytest.raises(StorageError) as caught:
        write(path, bytes(3_000_000))
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")
    assert "the same command goes on" in str(caught.value)
    assert len(cut.requests("PUT")) > 1  # it was tried again before it was given up
    assert path.read_bytes() == b"old"
    assert list(path.parent.rglob("*")) == [path]
    assert list(own_temporary_folder.iterdir()) == []


def test_an_upload_in_parts_that_is_cut_leaves_nothing(
    bucket: str, wire: Callable[..., Wire], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = root_of(bucket) / "big.npy"
    write(path, b"old")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")  # s3fs tries five times itself
    cut = wire(cut_after=1_000_000, cuts=10**9)
    with pytest.raises(StorageError), written_atomically(path) as temporary:
        os.truncate(temporary, 110 << 20)
    assert any("partNumber=1" in line for line in cut.requests("PUT"))
    assert path.read_bytes() == b"old"
    assert pending_uploads(bucket) == []


def test_what_a_killed_upload_left_is_removed_under_the_root_only(
    bucket: str, own_temporary_folder: Path
) -> None:
    for key in ("db/a.npy", "db2/a.npy"):
        fsspec.filesystem("s3").call_s3("create_multipart_upload", Bucket=bucket[5:], Key=key)
    (own_temporary_folder / "mashnet-upload.abc.partial.npy").touch()
    with written_atomically(root_of(bucket) / "b.npy") as temporary:  # another run's, at work
        assert remove_leftovers(root_of(bucket) / "db") == 2
        assert pending_uploads(bucket) == ["db2/a.npy"]
        assert list(own_temporary_folder.iterdir()) == [temporary]


def test_uploads_of_the_folders_below_are_left_alone_on_request(bucket: str) -> None:
    for key in ("db/a.parquet", "db/cache/b.npy"):
        fsspec.filesystem("s3").call_s3("create_multipart_upload", Bucket=bucket[5:], Key=key)
    remove_leftovers(root_of(bucket) / "db", below=False)
    assert pending_uploads(bucket) == ["db/cache/b.npy"]


def test_a_bucket_that_is_not_there_is_named(bucket: str) -> None:
    with pytest.raises(StorageError, match="s3://nowhere/a: .*bucket or folder does not exist"):
        write(root_of("s3://nowhere/a"), b"x")
    with pytest.raises(StorageError, match="s3://nowhere/db: .*does not exist"):
        remove_leftovers(root_of("s3://nowhere/db"))


def test_a_refusal_names_the_credentials(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("Access Denied")

    monkeypatch.setattr(fsspec.filesystem("s3"), "put_file", refuse)
    with pytest.raises(StorageError, match="refuses.*Access Denied.*credentials"):
        write(root_of(bucket) / "a", b"x")


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), OSError("8 requested and 4 written")]
)
def test_a_full_temporary_folder_is_named(
    bucket: str, own_temporary_folder: Path, monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(being_written.os, "fsync", full)
    with (
        pytest.raises(StorageError, match=f"{own_temporary_folder}.*is full.*TMPDIR"),
        written_atomically(root_of(bucket) / "a"),
    ):
        raise error


class Renaming(fsspec.get_filesystem_class("file")):
    """A store that takes files bit by bit and can rename, as SFTP."""

    protocol = "renaming"

    def put_file(self, lpath: str, rpath: str, **_: object) -> None:
        assert ".partial" in rpath  # never under the real name
        super().put_file(lpath, rpath)


def test_other_stores_are_sent_a_file_beside_and_rename_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsspec.register_implementation("renaming", Renaming, clobber=True)
    root = root_of(f"renaming://{tmp_path}/db")
    write(root / "sub" / "a.bin", b"new")
    assert (tmp_path / "db" / "sub" / "a.bin").read_bytes() == b"new"
    assert [path.name for path in (tmp_path / "db").rglob("*.*")] == ["a.bin"]

    def broken(*_: object, **__: object) -> None:
        raise ConnectionResetError("gone")

    monkeypatch.setattr(Renaming, "mv", broken)
    with pytest.raises(StorageError, match=re.escape(f"{root / 'b.bin'}: ")):
        write(root / "b.bin", b"new")
    assert [path.name for path in (tmp_path / "db").rglob("*.*")] == ["a.bin"]
    (tmp_path / "db" / "sub" / ".c.123.partial.bin").touch()
    assert remove_abandoned(root) == 1


def test_a_store_that_cannot_rename_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="not written in one step"):
        write(root_of("http://127.0.0.1:9/db/a"), b"x")
