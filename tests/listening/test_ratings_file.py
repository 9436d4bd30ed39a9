"""ratings.csv: what a kill, a second process, an editor or a full disk can do to it."""

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mashnet.errors import DatabaseError
from mashnet.listening import ratings_file
from mashnet.listening.ratings import Rating, header
from mashnet.listening.ratings_file import RatingsFile, read_ratings, write_ratings

MakeRating = Callable[..., Rating]


def test_a_rating_is_in_the_file_when_append_returns(
    tmp_path: Path, make_rating: MakeRating
) -> None:
    file = RatingsFile(tmp_path)
    rating = make_rating(comment="fine")
    assert file.append(rating)
    assert read_ratings(file.path) == ([rating], [])
    file.close()


def test_the_same_answer_is_stored_once_also_after_a_restart(
    tmp_path: Path, make_rating: MakeRating
) -> None:
    rating, changed = make_rating(), make_rating(overall=5)
    first = RatingsFile(tmp_path)
    assert [first.append(rating), first.append(rating)] == [True, False]
    first.close()
    second = RatingsFile(tmp_path)
    assert [second.append(rating), second.append(changed)] == [False, True]
    assert read_ratings(second.path)[0] == [rating, changed]
    second.close()


@pytest.mark.parametrize("kept", [1, 20, 60, -20, -2])
def test_half_a_line_is_cut_off_and_what_follows_is_whole(
    tmp_path: Path, make_rating: MakeRating, kept: int
) -> None:
    whole, half, next_one = make_rating(), make_rating(), make_rating()
    write_ratings(tmp_path / "ratings.csv", [whole])
    with (tmp_path / "ratings.csv").open("a") as file:
        file.write(half.line[:kept])
    opened = RatingsFile(tmp_path)
    assert opened.ratings == [whole] and "half a line" in opened.warnings[0]
    opened.append(half)  # its sender was never told: it comes again
    opened.append(next_one)
    opened.close()
    assert read_ratings(tmp_path / "ratings.csv") == ([whole, half, next_one], [])


def test_an_editors_missing_newline_costs_no_rating(
    tmp_path: Path, make_rating: MakeRating
) -> None:
    rating, following = make_rating(), make_rating()
    (tmp_path / "ratings.csv").write_text((header() + rating.line).rstrip("\n"))
    opened = RatingsFile(tmp_path)
    opened.append(following)
    opened.close()
    assert opened.warnings == []
    assert read_ratings(tmp_path / "ratings.csv")[0] == [rating, following]


@pytest.mark.parametrize("content", ["", header()[:7]])
def test_a_kill_before_the_header_was_whole(
    tmp_path: Path, make_rating: MakeRating, content: str
) -> None:
    (tmp_path / "ratings.csv").write_text(content)
    opened = RatingsFile(tmp_path)
    opened.append(make_rating())
    opened.close()
    assert len(read_ratings(tmp_path / "ratings.csv")[0]) == 1


@pytest.mark.parametrize("content", ["my shopping list", "a,b\n1,2\n", "bread\nmilk\nhalf"])
def test_somebodys_other_file_is_left_alone(tmp_path: Path, content: str) -> None:
    (tmp_path / "ratings.csv").write_text(content)
    with pytest.raises(DatabaseError, match=r"no file of ratings"):
        RatingsFile(tmp_path)
    assert (tmp_path / "ratings.csv").read_text() == content


def test_bad_lines_are_named_and_the_others_read(tmp_path: Path, make_rating: MakeRating) -> None:
    good = [make_rating(), make_rating()]
    out_of_range = make_rating().line.replace(",3,3,3,3,3,", ",3,3,9,3,3,")
    path = tmp_path / "ratings.csv"
    path.write_bytes(
        (header() + good[0].line + out_of_range + "a,b\n\n").encode()
        + b"\xff\xfe\x00,\n"
        + good[1].line.encode()
    )
    ratings, warnings = read_ratings(path)
    assert ratings == good
    assert len(warnings) == 3
    assert "line 3" in warnings[0] and "rhythm" in warnings[0]
    assert "line 4" in warnings[1] and "2 of 15 columns" in warnings[1]


def test_a_spreadsheet_programs_file_is_understood(tmp_path: Path, make_rating: MakeRating) -> None:
    rating = make_rating(comment="a; b")
    line = rating.line.replace("a; b", '"a; b"').replace(",", ";").replace(";12.50;", ";12,50;")
    assert ";12,50;" in line
    path = tmp_path / "from-excel.csv"
    path.write_text("\ufeff" + (header().replace(",", ";") + line).replace("\n", "\r\n"))
    assert read_ratings(path) == ([rating], [])


@pytest.mark.parametrize("ahead", ["9999-12-31T23:59:59.999Z", "two days", "an hour"])
def test_a_time_of_arrival_to_come_is_reported_and_stops_nothing(
    tmp_path: Path, make_rating: MakeRating, ahead: str
) -> None:
    now = datetime.now(UTC)
    hours = {"two days": 48, "an hour": 1}
    moment = (now + timedelta(hours=hours[ahead])).isoformat() if ahead in hours else ahead
    first, late = make_rating(), make_rating(received_at=moment)
    path = tmp_path / "ratings.csv"
    path.write_text(header() + first.line + late.line)
    opened = RatingsFile(tmp_path)
    honest = ahead == "an hour"  # another machine's clock may be wrong
    assert opened.ratings == ([first, late] if honest else [first])
    assert ["line 3" in w and "a day ahead" in w for w in opened.warnings] == [True] * (not honest)
    for _ in range(2):
        assert opened.append(make_rating(received_at=now.isoformat()))
    opened.close()
    stored = read_ratings(path)[0]
    assert sorted(stored, key=lambda rating: rating.received_at) == stored
    assert late.line in path.read_text()  # it is left for its owner to mend


def test_a_file_that_is_too_long_is_not_read_to_be_repaired(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "ratings.csv").open("wb") as file:
        file.truncate(1 << 30)  # takes no room on the disk
    monkeypatch.setattr(ratings_file, "MOST_BYTES", 1 << 20)
    with pytest.raises(DatabaseError, match=r"ratings\.csv: cannot be read: it has more than"):
        RatingsFile(tmp_path)


def test_one_process_at_a_time(tmp_path: Path) -> None:
    opened = RatingsFile(tmp_path)
    program = (
        "import sys; from pathlib import Path\n"
        "from mashnet.listening.ratings_file import RatingsFile\n"
        "RatingsFile(Path(sys.argv[1]))"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    second = subprocess.run(command, capture_output=True, text=True, check=False)
    assert second.returncode and "another process" in second.stderr
    opened.close()
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_a_full_disk_leaves_no_half_line(
    tmp_path: Path, make_rating: MakeRating, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = RatingsFile(tmp_path)
    stored, lost = make_rating(), make_rating()
    opened.append(stored)
    write = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: write(handle, data[:10]))
    with pytest.raises(OSError, match="full"):
        opened.append(lost)
    monkeypatch.undo()
    assert opened.append(lost)  # not counted as stored before
    opened.close()
    assert read_ratings(tmp_path / "ratings.csv") == ([stored, lost], [])
