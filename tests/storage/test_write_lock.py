"""Clearing up takes what the dead left, and nothing that the living still write."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mashnet.files import remove_leftovers, written_atomically
from mashnet.storage import write_lock as being_written

_WRITER = """
import sys
from pathlib import Path
from mashnet.files import written_atomically

with written_atomically(Path(sys.argv[1])) as temporary:
    temporary.write_text("half")
    print(temporary.name, flush=True)
    sys.stdin.readline()
    temporary.write_text("whole")
"""


def writer(path: Path) -> tuple[subprocess.Popen[str], Path]:
    """Start a process that has written half of a file, and return it with the temporary file."""
    process = subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, path.parent / process.stdout.readline().strip()


def test_another_runs_file_is_left_alone_and_becomes_whole(tmp_path: Path) -> None:
    process, temporary = writer(tmp_path / "a.json")
    assert remove_leftovers(tmp_path) == 0
    assert temporary.read_text() == "half"
    process.communicate("go on\n", timeout=30)
    assert process.returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert (tmp_path / "a.json").read_text() == "whole"


def test_what_a_killed_run_left_is_removed(tmp_path: Path) -> None:
    process, temporary = writer(tmp_path / "a.json")
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)
    assert temporary.read_text() == "half"
    assert remove_leftovers(tmp_path) == 1
    assert not list(tmp_path.iterdir())


def test_the_folders_below_are_left_alone_on_request(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    for folder in (tmp_path, tmp_path / "cache"):
        (folder / ".a.x1.partial.npy").touch()
    assert remove_leftovers(tmp_path, below=False) == 1
    assert remove_leftovers(tmp_path) == 1


@pytest.mark.parametrize("locks", ["none", "refused"])
def test_without_locks_all_that_is_temporary_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, locks: str
) -> None:
    """Windows has none; some network file systems refuse them."""

    def refused(*_: object) -> None:
        raise OSError(38, "Function not implemented")

    if locks == "none":
        monkeypatch.setattr(being_written, "fcntl", None)
    else:
        monkeypatch.setattr(being_written.fcntl, "flock", refused)
    (tmp_path / ".a.x1.partial.npy").touch()
    assert remove_leftovers(tmp_path) == 1
    with written_atomically(tmp_path / "a.npy") as temporary:
        temporary.write_bytes(b"whole")
    assert os.listdir(tmp_path) == ["a.npy"]
    assert (tmp_path / "a.npy").read_bytes() == b"whole"


@pytest.mark.parametrize(
    "error", [OSError("1048576 requested and 524224 written"), RuntimeError("write error")]
)
def test_others_words_for_a_full_disk_become_the_systems(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Those of numpy and of FAISS, which name neither the reason nor the file."""

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(being_written.os, "fsync", full)
    with (
        pytest.raises(OSError, match="No space left") as caught,
        written_atomically(tmp_path / "a"),
    ):
        raise error
    assert (caught.value.errno, caught.value.filename) == (28, str(tmp_path / "a"))
    assert not os.listdir(tmp_path)
