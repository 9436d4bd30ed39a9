"""The page in a real browser: whole tests are filled in, with what goes wrong in between."""

from pathlib import Path
from typing import Any

import pytest

from mashnet.listening.collect import collect
from mashnet.listening.folder import read_test
from mashnet.listening.order import order_of
from mashnet.listening.ratings import latest
from tests.listening.listener import (
    IN_A_BROWSER,
    answer,
    begin,
    listen,
    ready_for_a_click,
    rows,
    stored,
)
from tests.listening.serving import Server

pytestmark = [*IN_A_BROWSER, pytest.mark.long]  # test_page.py opens the page in every run


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


def test_a_server_that_lost_its_file_gets_the_answers_again(page: Any, built: Path) -> None:
    server = Server(built)
    begin(page, server)
    listen(page, 1)
    answer(page, 4, 4, 4, 4, 4)
    ready_for_a_click(page)
    page.click("#next")
    stored(page)
    (sent,) = rows(built, "anna")
    server.kill()
    (built / "ratings.csv").unlink()
    again = Server(built, port=server.port)
    try:
        page.reload()
        page.wait_for_selector("#clip-title:has-text('Clip 2 of 2'):visible")
        stored(page)
        (found,) = rows(built, "anna")
        assert found.key == sent.key and found.answers == sent.answers
    finally:
        again.kill()


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
    first = context.new_page()
    begin(first, server, "twice")
    listen(first, 1)
    answer(first, 4, 4, 4, 4, 4)
    second = context.new_page()
    begin(second, server, "twice")
    second.wait_for_selector("#form:not(.locked)")  # it knows the draft of the first
    assert second.is_checked("input[name=timbre][value='4']")
    answer(second, 5, 5, 5, 5, 5)
    ready_for_a_click(second)
    context.set_offline(True)
    for window in (first, second):  # both put their answers into one queue
        window.bring_to_front()
        window.click("#next")
        window.wait_for_selector("#connection.waiting")
    context.set_offline(False)
    for window in (first, second):
        window.wait_for_selector("#connection:not(.waiting)")
    assert sorted(r.answers["overall"] for r in rows(server.folder, "twice")) == [4, 5]
    (last,) = latest(rows(server.folder, "twice")).values()
    assert last.answers["overall"] == 5
    context.close()
