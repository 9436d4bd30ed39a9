"""Pipes, devices and links to them, under the names of files: nothing waits for them."""

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mashnet.audio.headers import announced_per_byte
from mashnet.audio.io import length_s, read_audio, read_tags
from mashnet.data.mashupdb import MashupDB
from mashnet.errors import MashnetError
from mashnet.files import file_digest, remove_leftovers
from mashnet.listening.folder import read_json as read_test_json
from mashnet.listening.ratings_file import read_ratings
from mashnet.mashups.collection import read_collection
from mashnet.mashups.kept_scores import ScoreStore
from mashnet.storage.local_copies import load_array
from mashnet.storage.regular_files import opened, read_bounded, read_json, require_regular
from mashnet.storage.write_lock import remove_if_left
from tests.conftest import make_tiny_database

KINDS = ("pipe", "device", "link to a pipe", "link to a device")


def place(path: Path, kind: str) -> Path:
    """Put something that is no file where a file should be."""
    at = path.with_name("elsewhere") if kind.startswith("link") else path
    if kind.endswith("pipe"):
        os.mkfifo(at)
    else:
        at = Path("/dev/zero")
    if at != path:
        path.symlink_to(at)
    return path


def soon(do: Callable[[], Any]) -> Any:
    """Return what is done, or raise what it raises; fail if it takes more than five seconds."""
    outcome: list[tuple[str, Any]] = []

    def run() -> None:
        try:
            outcome.append(("done", do()))
        except BaseException as error:
            outcome.append(("raised", error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(5)
    assert outcome, "it waits"
    how, value = outcome[0]
    if how == "raised":
        raise value
    return value


READERS: dict[str, Callable[[Path], Any]] = {
    "opened": opened,
    "require_regular": require_regular,
    "read_bounded": lambda path: read_bounded(path, 10),
    "read_json": read_json,
    "digest": file_digest,
    "array": load_array,
    "sound": read_audio,
    "ratings": read_ratings,
    "test": lambda path: read_test_json(path, ("a",), "a test"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reader", READERS)
def test_nobody_waits_for_what_is_no_file(tmp_path: Path, kind: str, reader: str) -> None:
    path = place(tmp_path / "vocals.wav", kind)
    with pytest.raises((OSError, MashnetError), match=r"pipe or a device|is not a file"):
        soon(lambda: READERS[reader](path))


@pytest.mark.parametrize("kind", KINDS)
def test_what_has_an_answer_without_the_file_gives_it(tmp_path: Path, kind: str) -> None:
    path = place(tmp_path / "vocals.wav", kind)
    assert soon(lambda: read_tags(path)) == {}
    assert soon(lambda: length_s(path)) is None
    assert soon(lambda: announced_per_byte(os.fsencode(path))) is None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["manifest.json", "clips.parquet"])
def test_a_database_with_something_else_in_it(tmp_path: Path, kind: str, name: str) -> None:
    root = make_tiny_database(tmp_path / "db", songs=1).root
    (root / name).unlink()
    place(root / name, kind)
    # What is no file is not there.
    if name == "manifest.json":
        with pytest.raises(MashnetError, match="is not a MashupDB"):
            soon(lambda: MashupDB.open(root))
    else:
        assert len(soon(lambda: MashupDB.open(root).clips)) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_temporary_upload_that_is_none_is_left_alone(tmp_path: Path, kind: str) -> None:
    path = place(tmp_path / ".mashnet-upload.x.partial", kind)
    assert not soon(lambda: remove_if_left(path))
    assert soon(lambda: remove_leftovers(tmp_path)) == 0
    assert path.is_symlink() or path.exists()


@pytest.mark.parametrize("content", [b"[" * 100_000, b'{"a":' * 100_000, b"\xff", b"", b"{"])
def test_deep_or_damaged_json_is_a_reason_and_no_traceback(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mashups.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r".+"):
        read_json(path)
    with pytest.raises(MashnetError, match="is no collection"):
        read_collection(tmp_path)
    scores = ScoreStore(tmp_path, "x")
    shutil.copy(path, scores.path)
    assert scores.read() == {}


def test_json_that_is_long_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b'"' + b"x" * 100 + b'"')
    assert read_json(tmp_path / "a.json", 102) == "x" * 100
    with pytest.raises(ValueError, match="more than 101 bytes"):
        read_json(tmp_path / "a.json", 101)


def test_a_folder_is_said_to_be_one(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        opened(tmp_path)
