"""The page in a real browser: whole tests are filled in, with what goes wrong in between."""

import csv
import json
import shutil
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from mashnet.listening.collect import collect
from mashnet.listening.folder import read_test
from mashnet.listening.order import mixed, order_of
from mashnet.listening.questions import QUESTION_NAMES
from mashnet.listening.ratings import Rating, latest
from mashnet.listening.ratings_file import read_ratings
from tests.listening.conftest import build_small_test, two_systems_in
from tests.listening.serving import Server

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.allow_hosts(["127.0.0.1", "::1", "localhost"]),
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium here (apt install chromium)"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """Return a page of a browser that knows nothing yet; errors of the script fail the test."""
    context = browser.new_context(accept_downloads=True)
    context.set_default_timeout(15_000)
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    context.close()
    assert errors == []


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a server that all tests share but those that kill theirs: each has its listener."""
    root = tmp_path_factory.mktemp("page")
    started = Server(build_small_test(root, two_systems_in(root)))
    yield started
    started.kill()


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
    """Wait out the time in which a click on Next counts as the second half of a double click."""
    until(page, "performance.now() - current.opened > 600")


def rows(folder: Path, *participants: str) -> list[Rating]:
    ratings, warnings = read_ratings(folder / "ratings.csv")
    assert warnings == []
    return [rating for rating in ratings if rating.participant in participants]


def stored(page: Any) -> None:
    page.wait_for_selector("#connection:has-text('All answers are stored')")


def test_a_whole_test_reloaded_in_the_middle(page: Any, server: Server) -> None:
    begin(page, server)
    listen(page, 1)
    answer(page, 5, 4, 3, 2, 1, heard="unsure")
    page.fill("#comment", 'nice, "really"')
    page.reload()  # before it was sent: what was ticked is still there
    page.click("#start")
    page.wait_for_selector("#clip:visible")
    assert page.is_checked("input[name=harmony][value='4']")
    assert page.input_value("#comment") == 'nice, "really"'
    assert page.is_enabled("input[name=overall][value='3']")  # it has been listened to
    ready_for_a_click(page)
    page.dblclick("#next")
    page.wait_for_selector("#clip-title:has-text('Clip 2 of 2')")
    stored(page)
    assert page.inner_text("#missing") == ""
    page.reload()  # after the first clip: goes on at the second
    listen(page, 2)
    assert "1 of 2" in page.inner_text("#progress-text")
    answer(page, 1, 1, 2)
    ready_for_a_click(page)
    page.click("#next")
    assert page.inner_text("#missing") == "2 questions are still open."
    page.check("input[name=timbre][value='2']")
    page.check("input[name=instrumentation][value='3']")
    page.click("#next")
    page.wait_for_selector("#done:visible:has-text('every answer is stored')")
    found = rows(server.folder, "anna")
    test = read_test(server.folder)
    assert [r.item for r in found] == order_of(
        test["test"], "anna", [i["id"] for i in test["items"]]
    )
    assert [tuple(r.answers.values()) for r in found] == [(5, 4, 3, 2, 1), (1, 1, 2, 2, 3)]
    assert [(r.position, r.heard) for r in found] == [(1, "unsure"), (2, "no")]
    assert found[0].comment == 'nice, "really"'
    assert all(0.6 <= r.listened_s < 6 for r in found)
    page.reload()
    page.wait_for_selector("#done:visible")


def test_by_keyboard_alone_with_a_changed_answer(page: Any, server: Server) -> None:
    page.goto(server.address)  # no name in the link: the page makes one
    page.wait_for_selector("#start:visible")
    assert page.inner_text("h1") == "A <small> test"
    own_link = page.url
    page.focus("#start")
    page.keyboard.press("Enter")
    for clip in (1, 2):
        page.wait_for_selector(f"#clip-title:has-text('Clip {clip} of 2')")
        page.keyboard.press("5")  # too early: nothing happens
        page.keyboard.press("p")
        page.wait_for_selector("#form:not(.locked)")
        for key in "123452":
            page.keyboard.press(key)
        page.wait_for_timeout(200)
        ready_for_a_click(page)
        page.keyboard.press("Enter")
    page.wait_for_selector("#done:visible")
    stored(page)
    assert [tuple(r.answers.values()) for r in rows(server.folder, own_link.split("=")[1])] == [
        (1, 2, 3, 4, 5)
    ] * 2
    page.click("#review")
    page.wait_for_selector("#clip-title:has-text('Clip 2 of 2')")
    assert page.is_checked("input[name=rhythm][value='3']")
    page.check("input[name=rhythm][value='5']")
    ready_for_a_click(page)
    page.click("#next")
    page.wait_for_selector("#done:visible")
    stored(page)
    assert [r.answers["rhythm"] for r in rows(server.folder, own_link.split("=")[1])] == [3, 3, 5]
    page.click("#review")  # looked at, not changed: no row
    ready_for_a_click(page)
    page.click("#next")
    page.wait_for_selector("#done:visible")
    assert len(rows(server.folder, own_link.split("=")[1])) == 3
    # another browser, the same link: everything is known there
    other = page.context.browser.new_context().new_page()
    other.goto(own_link)
    other.wait_for_selector("#done:visible")
    other.click("#review")
    assert other.is_checked("input[name=rhythm][value='5']")
    other.context.close()


def test_a_server_killed_in_the_middle_loses_nothing(
    page: Any, built: Path, tmp_path: Path
) -> None:
    server = Server(built)
    begin(page, server)
    listen(page, 1)
    answer(page, 2, 2, 2, 2, 2)
    server.kill()
    ready_for_a_click(page)
    page.click("#next")
    page.wait_for_selector("#connection:has-text('1 answer waits')")
    page.wait_for_selector("#problem:visible:has-text('cannot be loaded')")
    assert rows(built, "anna") == []
    again = Server(built, port=server.port)
    try:
        stored(page)  # by itself
        page.wait_for_selector("#problem", state="hidden")  # and the clip has been fetched
        assert len(rows(built, "anna")) == 1
        again = again.killed_and_started_again()
        page.reload()
        listen(page, 2)
        answer(page, 4, 4, 4, 4, 4)
        again.kill()
        ready_for_a_click(page)
        page.click("#next")
        page.wait_for_selector("#done:visible:has-text('could not be sent yet')")
        with page.expect_download() as download:
            page.click("#download")
        download.value.save_as(tmp_path / "backup.csv")
        assert len(rows(built, "anna")) == 1
        # The backup and the server's file: one rating in both, one in the backup alone.
        merged = collect([built, tmp_path / "backup.csv"], tmp_path / "all" / "ratings.csv")
        assert [r.answers["overall"] for r in merged] == [2, 4]
        assert [bool(r.received_at) for r in merged] == [True, False]
        again = Server(built, port=server.port)
        page.wait_for_selector("#done:has-text('every answer is stored')")
        found = rows(built, "anna")
        assert [r.answers["overall"] for r in found] == [2, 4]
        assert {r.key for r in found} == {r.key for r in merged}
    finally:
        again.kill()


def test_two_listeners_have_orders_of_their_own(browser: Any, server: Server) -> None:
    contexts = [browser.new_context() for _ in range(2)]
    pages = [context.new_page() for context in contexts]
    berta = first(server.folder, "berta")
    other = next(f"p{n}" for n in range(99) if first(server.folder, f"p{n}") != berta)
    names = ("berta", other)
    for page, name in zip(pages, names, strict=True):
        begin(page, server, name)
        page.wait_for_selector("#clip:visible")
        page.click("#play")
    for page in pages:
        page.wait_for_selector("#form:not(.locked)")
        answer(page, 3, 3, 3, 3, 3)
        ready_for_a_click(page)
        page.click("#next")
        stored(page)
    assert {(r.participant, r.item) for r in rows(server.folder, *names)} == {
        (name, first(server.folder, name)) for name in names
    }
    for context in contexts:
        context.close()


def first(folder: Path, participant: str) -> str:
    test = read_test(folder)
    return order_of(test["test"], participant, [item["id"] for item in test["items"]])[0]


def test_jumping_to_the_end_is_not_listening(page: Any, server: Server) -> None:
    begin(page, server, "jumper")
    page.wait_for_selector("#clip:visible")
    page.evaluate("sound.currentTime = 5.5")
    until(page, "sound.currentTime > 5")
    page.click("#play")
    until(page, "sound.ended")
    assert page.evaluate("current.listened") < 0.6
    assert page.is_disabled("input[name=overall][value='3']")
    assert "more second" in page.inner_text("#listen-hint")


def test_a_browser_that_keeps_nothing_goes_on_by_what_the_server_has(
    page: Any, server: Server
) -> None:
    page.add_init_script(
        "Object.defineProperty(window, 'localStorage', {get() { throw new Error('forbidden') }})"
    )
    begin(page, server, "private")
    listen(page, 1)
    answer(page, 3, 3, 3, 3, 3)
    ready_for_a_click(page)
    page.click("#next")
    stored(page)
    page.reload()
    page.wait_for_selector("#clip-title:has-text('Clip 2 of 2'):visible")
    assert len(rows(server.folder, "private")) == 1


def test_two_windows_of_one_listener_lose_nothing(browser: Any, server: Server) -> None:
    context = browser.new_context()
    first, second = (context.new_page() for _ in range(2))
    begin(first, server, "twice")
    listen(first, 1)
    answer(first, 4, 4, 4, 4, 4)
    begin(second, server, "twice")
    second.wait_for_selector("#form:not(.locked)")  # it knows the draft of the first
    assert second.is_checked("input[name=timbre][value='4']")
    answer(second, 5, 5, 5, 5, 5)
    ready_for_a_click(second)
    context.set_offline(True)
    for window in (first, second):  # both put their answers into one queue
        window.click("#next")
        window.wait_for_selector("#connection.waiting")
    context.set_offline(False)
    for window in (first, second):
        window.wait_for_selector("#connection:not(.waiting)")
    assert sorted(r.answers["overall"] for r in rows(server.folder, "twice")) == [4, 5]
    (last,) = latest(rows(server.folder, "twice")).values()
    assert last.answers["overall"] == 5
    context.close()


def test_links_that_are_wrong(page: Any, server: Server) -> None:
    page.goto(f"{server.address}?p=a/b")
    page.wait_for_selector("#problem:visible:has-text('link is not complete')")


def test_page_and_server_agree_on_orders(page: Any, server: Server) -> None:
    page.goto(server.address)
    page.wait_for_selector("#start:visible")
    texts = ["", "a", "t|anna|0123", "Ünï🎵" * 9]
    assert page.evaluate("texts => texts.map(mixed)", texts) == [mixed(text) for text in texts]
    items = [f"{n:04x}" for n in range(50)]
    for person in ("anna", "p2"):
        found = page.evaluate("([p, items]) => orderOf('t', p, items)", [person, items])
        assert found == order_of("t", person, items)


@pytest.mark.parametrize("width", [320, 1280])
def test_it_fits_phones_and_desktops(page: Any, server: Server, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 640})
    begin(page, server, "fit")
    page.wait_for_selector("#clip:visible")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    sizes = page.eval_on_selector_all(
        "#questions .choices span", "all => all.map(one => one.getBoundingClientRect().height)"
    )
    assert len(sizes) == 25 and min(sizes) >= 40  # a thumb's width


def test_nothing_comes_from_elsewhere(page: Any, server: Server) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    begin(page, server, "asker")
    listen(page, 1)
    assert asked and all(url.startswith((server.address, "data:")) for url in asked)


def test_the_backups_columns_are_the_servers(page: Any, server: Server, tmp_path: Path) -> None:
    begin(page, server, "backup")
    listen(page, 1)
    answer(page, 1, 2, 3, 4, 5)
    page.fill("#comment", 'a "b", c;\nd')
    ready_for_a_click(page)
    page.click("#next")
    stored(page)
    page.evaluate("finish()")
    with page.expect_download() as download:
        page.click("#download")
    download.value.save_as(tmp_path / "backup.csv")
    with (tmp_path / "backup.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["comment"] == 'a "b", c; d' and row["participant"] == "backup"
    (rating,), warnings = read_ratings(tmp_path / "backup.csv")
    assert warnings == [] and json.loads(json.dumps(dict(rating.answers))) == dict(
        zip(QUESTION_NAMES, (1, 2, 3, 4, 5), strict=True)
    )
    moment = datetime.fromisoformat(rating.rated_at).timestamp()
    assert abs(time.time() - moment) < 300
