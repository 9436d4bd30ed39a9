"""Collecting: several servers, browsers' backups, files that somebody opened in between."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mashnet.errors import ConfigError, DatabaseError
from mashnet.listening import __main__ as program
from mashnet.listening.collect import collect
from mashnet.listening.ratings import Rating
from mashnet.listening.ratings_file import folder_lock, read_ratings, write_ratings

MakeRating = Callable[..., Rating]


def test_each_answer_once_and_the_servers_copy_wins(
    tmp_path: Path, make_rating: MakeRating, capsys: pytest.CaptureFixture[str]
) -> None:
    token = "f" * 32
    server = make_rating(token=token, received_at="2026-01-01T10:00:05Z")
    late = make_rating(token=token, received_at="2026-01-03T10:00:00Z")  # another server's
    backup = make_rating(token=token, received_at="")
    changed = make_rating(rated_at="2026-01-02T10:00:00Z", overall=5)
    other = make_rating(participant="berta", item="i2", received_at="")
    (tmp_path / "room1").mkdir()
    write_ratings(tmp_path / "room1" / "ratings.csv", [server, changed])
    write_ratings(tmp_path / "room2.csv", [late])
    write_ratings(tmp_path / "browser.csv", [backup, other])
    out = tmp_path / "all" / "ratings.csv"
    sources = ["browser.csv", "room2.csv", "room1"]
    found = collect([tmp_path / name for name in sources], out)
    assert sorted(found, key=lambda r: r.rated_at + r.participant) == [server, other, changed]
    assert read_ratings(out) == (found, [])
    printed = capsys.readouterr().out
    assert "3 rows (2 were there twice, 1 were changed later): 2 ratings of 2 clips by 2" in printed
    assert "anna: 1 of 2" in printed and "berta: 1 of 2" in printed
    # what lies in out= already is kept, and a second time changes nothing
    assert collect([tmp_path / "room2.csv"], out) == found
    assert out.read_text() == "".join(
        [out.read_text().split("\n")[0] + "\n", *(r.line for r in found)]
    )


def test_of_different_tests_nothing_is_written(tmp_path: Path, make_rating: MakeRating) -> None:
    write_ratings(tmp_path / "a.csv", [make_rating()])
    write_ratings(tmp_path / "b.csv", [make_rating(test="another")])
    with pytest.raises(ConfigError, match=r"different tests.*a\.csv; .*b\.csv"):
        collect([tmp_path / "a.csv", tmp_path / "b.csv"], tmp_path / "out" / "ratings.csv")
    assert not (tmp_path / "out" / "ratings.csv").exists()


def test_bad_lines_are_warnings_and_bad_files_errors(
    tmp_path: Path, make_rating: MakeRating, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.csv"
    write_ratings(path, [make_rating()])
    with path.open("a") as file:
        file.write("half,a,line")
    assert len(collect([path], tmp_path / "out" / "ratings.csv")) == 1
    assert "line 3: left out: has 3 of 15 columns" in capsys.readouterr().err
    (tmp_path / "other.csv").write_text("a,b\n")
    with pytest.raises(DatabaseError, match="no file of ratings"):
        collect([tmp_path / "other.csv"], tmp_path / "x" / "ratings.csv")
    write_ratings(tmp_path / "none.csv", [])
    with pytest.raises(DatabaseError, match="no ratings to collect"):
        collect([tmp_path / "none.csv"], tmp_path / "y" / "ratings.csv")


def test_not_into_a_file_that_a_server_writes(tmp_path: Path, make_rating: MakeRating) -> None:
    write_ratings(tmp_path / "a.csv", [make_rating()])
    lock = folder_lock(tmp_path)
    with pytest.raises(DatabaseError, match="another process"):
        program.main(["collect", f"ratings={tmp_path / 'a.csv'}", f"out={tmp_path / 'r.csv'}"])
    os.close(lock)
    program.main(["collect", f"ratings={tmp_path / 'a.csv'}", f"out={tmp_path / 'r.csv'}"])
    assert len(read_ratings(tmp_path / "r.csv")[0]) == 1
