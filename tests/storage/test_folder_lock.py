"""Stages on one database at once: what each writes is there in the end."""

from __future__ import annotations

import errno
import fcntl
import multiprocessing
import os
import threading
import time
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from data_pipelines.rejects import reject_row
from mashnet.data import table_files
from mashnet.data.mashupdb import MashupDB
from mashnet.data.mixes.part_store import PartStore
from mashnet.errors import DatabaseError
from mashnet.storage import folder_lock as lock
from mashnet.storage.folder_lock import one_at_a_time
from mashnet.storage.paths import root_of
from tests.conftest import make_tiny_database

STAGES, ROUNDS = 3, 8


def _stage(root: str, name: str, where: str, begin: Event) -> None:
    """Do what the end of a stage does: keep the rejects and entries of others, add its own."""
    if where == "file":  # a folder of NFS takes no lock
        fcntl.flock = _only_files
    database = MashupDB(root)
    begin.wait()
    for number in range(ROUNDS):
        assert len(database.rejects) >= 0  # read long before it is changed
        with database.changing():
            others = [r for r in database.rejects.to_dicts() if r["stage"] != name]
            time.sleep(0.002)
            rows = [reject_row(f"{name} {n}", name, "reason") for n in range(number + 1)]
            database.write_table("rejects", [*others, *rows])
        database.update_manifest(**{name: {"rounds": number + 1}})


@pytest.mark.parametrize("where", ["folder", "file"])
def test_no_entry_and_no_reject_of_another_stage_is_lost(tmp_path, where):
    context = multiprocessing.get_context("spawn")
    begin = context.Event()
    root = str(tmp_path / "db")
    names = [f"stage{number}" for number in range(STAGES)]
    processes = [context.Process(target=_stage, args=(root, name, where, begin)) for name in names]
    for process in processes:
        process.start()
    begin.set()
    for process in processes:
        process.join(120)
        assert process.exitcode == 0
    database = MashupDB(root)
    assert {name: database.entry(name) for name in names} == {n: {"rounds": ROUNDS} for n in names}
    counts = dict(database.rejects["stage"].value_counts().iter_rows())
    assert counts == dict.fromkeys(names, ROUNDS)
    there = {path.name for path in (tmp_path / "db").iterdir()} - {".lock"}
    assert there == {"manifest.json", "rejects.parquet"}
    assert (tmp_path / "db" / ".lock").exists() == (where == "file")


_flock = fcntl.flock


def _only_files(handle: int, operation: int) -> None:
    if os.path.isdir(f"/proc/self/fd/{handle}"):
        raise OSError(errno.EBADF, "Bad file descriptor")
    _flock(handle, operation)


def _no_locks(handle: int, operation: int) -> None:
    raise OSError(errno.ENOLCK, "No locks available")


def test_threads_wait_for_each_other_and_say_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(lock, "_SAID_AFTER_S", 0.05)
    inside: list[str] = []

    def other() -> None:
        with one_at_a_time(tmp_path):
            inside.append("other")

    with one_at_a_time(tmp_path):
        thread = threading.Thread(target=other)
        thread.start()
        time.sleep(0.3)
        inside.append("first")
    thread.join()
    assert inside == ["first", "other"]
    assert capsys.readouterr().err.count("waiting for another program") == 1


def test_who_never_ends_is_named_after_a_while(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "MOST_S", 0.1)
    with (
        one_at_a_time(tmp_path),
        pytest.raises(DatabaseError, match="end that one"),
        one_at_a_time(tmp_path),
    ):
        pass


@pytest.mark.parametrize("planted", ["link", "fifo", "folder", "dangling"])
def test_a_planted_lock_is_left_alone(tmp_path, monkeypatch, planted):
    monkeypatch.setattr(fcntl, "flock", _only_files)
    mine, root = tmp_path / "mine", tmp_path / "db"
    root.mkdir()
    mine.write_text("mine")
    if planted == "link":
        (root / ".lock").symlink_to(mine)
    elif planted == "dangling":
        (root / ".lock").symlink_to(tmp_path / "made")
    elif planted == "fifo":
        os.mkfifo(root / ".lock")
    else:
        (root / ".lock").mkdir()
    MashupDB(root).update_manifest(a=1)
    assert mine.read_text() == "mine" and not (tmp_path / "made").exists()
    assert MashupDB(root).manifest["a"] == 1


def test_without_locks_nothing_is_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(fcntl, "flock", _no_locks)
    with one_at_a_time(tmp_path):
        MashupDB(tmp_path).update_manifest(a=1)
    assert MashupDB(tmp_path).manifest["a"] == 1


def test_a_store_is_locked_on_this_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("MASHNET_CACHE", str(tmp_path))
    monkeypatch.setattr(lock, "MOST_S", 0.1)
    root = root_of("memory://bucket/db")
    with one_at_a_time(root), one_at_a_time(root_of("memory://bucket/other")):
        with pytest.raises(DatabaseError, match="end that one"), one_at_a_time(root):
            pass
        assert len(list((tmp_path / "locks").iterdir())) == 2


def test_a_database_that_was_built_anew_meanwhile_takes_no_rows_of_the_old_one(tmp_path):
    database = make_tiny_database(tmp_path / "db", songs=3)
    stage = MashupDB.open(database.root)
    assert len(stage.clips) == 3
    database.write_table("clips", database.clips[1:])
    with pytest.raises(DatabaseError, match="built anew while this ran"), stage.changing():
        pass


def test_mixes_without_their_settings_are_not_rendered_with_others(tmp_path):
    database = make_tiny_database(tmp_path / "db", songs=1)
    assert PartStore(database).sample_rate == 22050  # no mixes yet: as the stage would
    database.write_table("mixes", [])
    with pytest.raises(DatabaseError, match="Make them anew: python -m data_pipelines.mixes"):
        PartStore(database)
    for entry in ([], "x", 5, {"sample_rate": "fast"}, {"sample_rate": 1e9}, {"engine": ["x"]}):
        database.update_manifest(mixes=entry)
        with pytest.raises(DatabaseError) as error:
            PartStore(database)
        assert "\n" not in str(error.value)
    database.update_manifest(mixes={"sample_rate": 8000})
    assert Path(PartStore(database).folder).name == "8000"


def test_a_table_is_read_as_it_was_opened(tmp_path, monkeypatch):
    """Another stage may put a new table in its place at any moment."""
    written = {}
    for name, rows in (("old", 3), ("new", 40_000)):
        database = MashupDB(tmp_path / name)
        database.write_table(
            "rejects", [{"input": f"{name} {i}", "stage": "x", "reason": "y"} for i in range(rows)]
        )
        written[name] = tmp_path / name / "rejects.parquet"
    asked = table_files.require_bounded_table

    def replaced_meanwhile(path, file, columns):
        asked(path, file, columns)
        os.replace(written["new"], written["old"])

    monkeypatch.setattr(table_files, "require_bounded_table", replaced_meanwhile)
    found = MashupDB(tmp_path / "old").table("rejects")
    assert found["input"].to_list() == ["old 0", "old 1", "old 2"]
