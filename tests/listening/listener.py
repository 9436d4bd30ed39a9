"""What a listener does in a browser, and what the server then has."""

import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from mashnet.listening.folder import read_test
from mashnet.listening.order import order_of
from mashnet.listening.questions import QUESTION_NAMES
from mashnet.listening.ratings import Rating
from mashnet.listening.ratings_file import read_ratings
from tests.listening.serving import Server

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
IN_A_BROWSER = [
    pytest.mark.allow_hosts(["127.0.0.1", "::1", "localhost"]),
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium here (apt install chromium)"),
]


def until(page: Any, expression: str, *, seconds: float = 15) -> None:
    """Wait until an expression of the page is true (wait_for_function needs a laxer page)."""
    end = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < end, expression
        page.wait_for_timeout(30)


def begin(page: Any, server: Server, participant: str = "anna") -> None:
    page.goto(f"{server.address}?p={participant}")
    page.click("#start")


def listen(page: Any, clip: int) -> None:
    """Wait for a clip and play it until it may be rated."""
    page.wait_for_selector(f"#clip-title:has-text('Clip {clip} of 2'):visible")
    assert page.is_disabled("input[name=overall][value='3']")
    page.click("#play")
    page.wait_for_selector("#form:not(.locked)")


def answer(page: Any, *values: int, heard: str = "no") -> None:
    for name, value in zip(QUESTION_NAMES, values, strict=False):
        page.check(f"input[name={name}][value='{value}']")
    page.check(f"input[name=heard][value={heard}]")


def ready_for_a_click(page: Any) -> None:
    """Wait out the time in which a clip that was just opened takes no answer."""
    until(page, "performance.now() - current.opened > 600")


def rows(folder: Path, *participants: str) -> list[Rating]:
    ratings, warnings = read_ratings(folder / "ratings.csv")
    assert warnings == []
    return [rating for rating in ratings if rating.participant in participants]


def stored(page: Any) -> None:
    page.wait_for_selector("#connection:has-text('All answers are stored')")


def first(folder: Path, participant: str) -> str:
    test = read_test(folder)
    return order_of(test["test"], participant, [item["id"] for item in test["items"]])[0]
