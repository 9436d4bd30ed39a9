"""Ratings: what is refused, what a line holds, which answer is the last."""

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mashnet.listening.questions import QUESTION_NAMES
from mashnet.listening.ratings import COLUMNS, Rating, header, latest, rating_of

VALID: dict[str, Any] = {
    "rated_at": "2026-01-01T12:00:00.000+02:00",
    "test": "t1",
    "participant": "anna",
    "position": "3",
    "item": "0123abcd",
    **dict.fromkeys(QUESTION_NAMES, "4"),
    "heard": "unsure",
    "listened_s": "10.25",
    "comment": "",
    "token": "0" * 32,
}


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("overall", 6, "overall must be a whole number from 1 to 5"),
        ("overall", 0, "from 1 to 5"),
        ("harmony", 2.5, "whole number"),
        ("rhythm", True, "not a number"),
        ("rhythm", "NaN", "from 1 to 5"),
        ("timbre", None, "timbre is missing"),
        ("timbre", "", "timbre is missing"),
        ("instrumentation", "four", "not a number"),
        ("heard", "maybe", "yes, no, unsure"),
        ("listened_s", -1, "0 or more"),
        ("listened_s", float("inf"), "0 or more"),
        ("listened_s", 10**400, "not a number"),
        ("position", 0, "whole number"),
        ("participant", "../anna", "letters"),
        ("participant", "", "letters"),
        ("participant", 7, "not text"),
        ("participant", "a" * 65, "64"),
        ("item", "a b", "letters"),
        ("rated_at", "yesterday", "not a time"),
        ("rated_at", "2026-01-01T12:00:00", "not a time"),
        ("rated_at", "0001-01-01T00:00:00+10:00", "not a time"),
        ("comment", "x" * 2001, "2000"),
        ("comment", ["x"], "not text"),
        ("token", "0" * 31, "32"),
    ],
)
def test_what_is_no_rating_is_refused_by_name(column: str, value: Any, said: str) -> None:
    rating_of(VALID)
    with pytest.raises(ValueError, match=said):
        rating_of({**VALID, column: value})


def test_times_become_utc() -> None:
    assert rating_of(VALID).rated_at == "2026-01-01T10:00:00.000+00:00"


def test_a_comment_is_no_formula_when_a_spreadsheet_opens_the_file() -> None:
    for first in "=+-@":
        rating = rating_of({**VALID, "comment": f" {first}1+1"})
        assert rating.comment == f"'{first}1+1"
        longest = rating_of({**VALID, "comment": first + "x" * 1999})
        for once in (rating, longest):  # and what is read again stays as it is
            assert rating_of({**VALID, "comment": once.comment}).comment == once.comment
    assert rating_of({**VALID, "comment": "'tis 1 + 1"}).comment == "'tis 1 + 1"


@given(st.text(max_size=300))
def test_any_comment_is_one_line_that_reads_back(comment: str) -> None:
    try:
        rating = rating_of({**VALID, "comment": comment})
    except ValueError:
        pytest.fail("a comment of 300 characters must be taken")
    line = rating.line
    assert line.endswith("\n") and len(line.splitlines()) == 1
    (cells,) = csv.reader(io.StringIO(line.encode().decode()))
    again = rating_of(dict(zip(COLUMNS, cells, strict=True)))
    assert again == rating


def test_the_line_has_the_columns_of_the_header() -> None:
    rating = rating_of({**VALID, "comment": 'more "bass", please\nreally'})
    (row,) = csv.DictReader(io.StringIO(header() + rating.line))
    assert row["position"] == "3" and row["timbre"] == "4" and row["listened_s"] == "10.25"
    assert row["comment"] == 'more "bass", please really'


def test_the_last_answer_counts_whatever_the_browsers_clock_says(
    make_rating: Callable[..., Rating],
) -> None:
    # Given at 9 by its clock, and changed after the clock was set back by two hours.
    first = make_rating(
        rated_at="2026-01-01T09:00:00Z", received_at="2026-01-01T09:00:01Z", overall=1
    )
    changed = make_rating(
        rated_at="2026-01-01T07:05:00Z", received_at="2026-01-01T09:05:01Z", overall=5
    )
    other = make_rating(item="i2")
    found = latest([changed, first, other])
    assert found["anna", "i1"] is changed and found["anna", "i2"] is other and len(found) == 2
    assert latest([first, changed])["anna", "i1"] is changed
