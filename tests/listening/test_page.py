"""The page in a real browser: by keyboard, on small screens, and what it must not do."""

import csv
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from mashnet.listening.order import mixed, order_of
from mashnet.listening.questions import QUESTION_NAMES
from mashnet.listening.ratings_file import read_ratings
from tests.listening.listener import (
    IN_A_BROWSER,
    answer,
    begin,
    first,
    listen,
    ready_for_a_click,
    rows,
    stored,
    until,
)
from tests.listening.serving import Server

pytestmark = IN_A_BROWSER


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


def test_links_that_are_wrong(page: Any, server: Server) -> None:
    page.goto(f"{server.address}?p=a/b")
    page.wait_for_selector("#problem:visible:has-text('link is not complete')")
    assert not page.is_visible("#start") and not page.is_visible("#clip")


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
    page.fill("#comment", '=a "b", c;\nd')
    ready_for_a_click(page)
    page.click("#next")
    stored(page)
    page.evaluate("finish()")
    with page.expect_download() as download:
        page.click("#download")
    download.value.save_as(tmp_path / "backup.csv")
    with (tmp_path / "backup.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["comment"] == '\'=a "b", c; d' and row["participant"] == "backup"
    (rating,), warnings = read_ratings(tmp_path / "backup.csv")
    assert warnings == [] and dict(rating.answers) == dict(
        zip(QUESTION_NAMES, (1, 2, 3, 4, 5), strict=True)
    )
    moment = datetime.fromisoformat(rating.rated_at).timestamp()
    assert abs(time.time() - moment) < 300
