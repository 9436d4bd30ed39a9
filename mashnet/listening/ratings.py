"""One rating: what it must hold, and its line in ratings.csv."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from mashnet.listening.questions import HEARD, HIGHEST, LOWEST, QUESTION_NAMES

COLUMNS = (
    "received_at rated_at test participant position item".split()
    + list(QUESTION_NAMES)
    + "heard listened_s comment token".split()
)
MAX_COMMENT = 2000  # characters
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")  # participants, items, tests
_TOKEN = re.compile(r"[0-9a-f]{32}")  # of one length: half a token is seen to be half a line
_MOST_POSITION = 100_000
_MOST_LISTENED_S = 86_400.0
_FORMULA = re.compile(r"""(^|;[\s"]*)(?=[=+\-@])""")  # where a cell would begin with one
_GUARDED = re.compile(r"""(^|;[\s"]*)'(?=[=+\-@])""")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]+")  # a rating stays one line


@dataclass(frozen=True)
class Rating:
    """What one participant said about one clip.

    Attributes:
        received_at: when the server had it, ISO 8601 in UTC; empty in a browser's own backup.
        rated_at: when the participant sent it, by the clock of the browser.
        test: id of the test.
        participant: id of the participant.
        position: the clip was the participant's first, second, …; counted from 1.
        item: id of the clip.
        answers: question → 1 to 5.
        heard: whether it had been heard before: yes, no, unsure.
        listened_s: how much of the clip was played, in seconds.
        comment: free text on one line, may be empty.
        token: the same for all copies of one answer, however often it was sent.
    """

    received_at: str
    rated_at: str
    test: str
    participant: str
    position: int
    item: str
    answers: Mapping[str, int]
    heard: str
    listened_s: float
    comment: str
    token: str

    @property
    def key(self) -> tuple[str, str, str]:
        """What two copies of one answer have in common."""
        return self.participant, self.item, self.token

    @property
    def line(self) -> str:
        """Its line of the CSV, newline included."""
        buffer = io.StringIO()
        csv.writer(buffer, lineterminator="\n").writerow(
            [
                self.received_at,
                self.rated_at,
                self.test,
                self.participant,
                self.position,
                self.item,
                *(self.answers[name] for name in QUESTION_NAMES),
                self.heard,
                f"{self.listened_s:.2f}",
                self.comment,
                self.token,
            ]
        )
        return buffer.getvalue()


def header() -> str:
    """Return the first line of ratings.csv, newline included."""
    return ",".join(COLUMNS) + "\n"


def rating_of(values: Mapping[str, Any]) -> Rating:
    """Understand a rating from a browser's JSON or a CSV's line.

    Args:
        values: column → value; numbers may be text. Further columns are ignored.

    Raises:
        ValueError: saying which value is missing or out of range.
    """
    return Rating(
        received_at=_time(values, "received_at", optional=True),
        rated_at=_time(values, "rated_at"),
        test=_name(values, "test"),
        participant=_name(values, "participant"),
        position=_whole(values, "position", 1, _MOST_POSITION),
        item=_name(values, "item"),
        answers={name: _whole(values, name, LOWEST, HIGHEST) for name in QUESTION_NAMES},
        heard=_heard(values),
        listened_s=_listened(values),
        comment=_comment(values),
        token=_token(values),
    )


def latest(ratings: Iterable[Rating]) -> dict[tuple[str, str], Rating]:
    """Return the last rating of each participant and item: an answer may be changed.

    Last as the server counted them: none has a time of arrival before that of an earlier one
    (`RatingsFile.append`). Clocks of browsers may be wrong or set back; only what never reached a
    server (a browser's backup) goes by them. Of equal times the one that stands last.
    """
    found: dict[tuple[str, str], Rating] = {}
    for rating in ratings:
        key = rating.participant, rating.item
        if key not in found or _moment(rating) >= _moment(found[key]):
            found[key] = rating
    return found


def _moment(rating: Rating) -> datetime:
    return datetime.fromisoformat(rating.received_at or rating.rated_at)


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name} is missing" if value is None else f"{name} is not text")
    return value


def _name(values: Mapping[str, Any], name: str) -> str:
    value = _text(values, name)
    if not _NAME.fullmatch(value):
        raise ValueError(f"{name} must be 1 to 64 letters, digits, dots, dashes or underscores")
    return value


def _token(values: Mapping[str, Any]) -> str:
    value = _text(values, "token")
    if not _TOKEN.fullmatch(value):
        raise ValueError("token must be 32 digits from 0 to f")
    return value


def _time(values: Mapping[str, Any], name: str, *, optional: bool = False) -> str:
    if optional and not values.get(name):
        return ""
    value = _text(values, name)
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError
        return moment.astimezone(UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError):
        raise ValueError(f"{name} is not a time such as 2026-01-31T12:00:00.000+00:00") from None


def _number(values: Mapping[str, Any], name: str) -> float:
    value = values.get(name)
    try:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError
        return float(value)
    except (ValueError, OverflowError):
        raise ValueError(
            f"{name} is missing" if value in (None, "") else f"{name} is not a number"
        ) from None


def _whole(values: Mapping[str, Any], name: str, low: int, high: int) -> int:
    value = _number(values, name)
    if not (low <= value <= high and value == int(value)):
        raise ValueError(f"{name} must be a whole number from {low} to {high}")
    return int(value)


def _heard(values: Mapping[str, Any]) -> str:
    value = _text(values, "heard")
    if value not in HEARD:
        raise ValueError(f"heard must be one of {', '.join(HEARD)}")
    return value


def _listened(values: Mapping[str, Any]) -> float:
    value = _number(values, "listened_s")
    if not math.isfinite(value) or not 0 <= value <= _MOST_LISTENED_S:
        raise ValueError("listened_s must be a number of seconds, 0 or more")
    return value


def _comment(values: Mapping[str, Any]) -> str:
    if values.get("comment") is None:
        return ""
    comment = _CONTROLS.sub(" ", _text(values, "comment")).strip()
    if len(_GUARDED.sub(r"\1", comment)) > MAX_COMMENT:
        raise ValueError(f"comment has more than {MAX_COMMENT} characters")
    # Spreadsheet programs would run what a stranger wrote; where lists are separated by semicolons
    # a cell may begin in the middle of it.
    comment = _FORMULA.sub(r"\1'", comment)
    # What cannot be written as UTF-8 (half a surrogate pair) must not reach the file.
    return comment.encode("utf-8", "replace").decode()
