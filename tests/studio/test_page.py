"""The page in a real browser: what a person sees, clicks, hears and takes home."""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
from playwright.sync_api import expect, sync_playwright

from mashnet.audio.io import read_audio
from mashnet.render import main as render_command
from mashnet.rendering.mashup import render_mashup
from mashnet.rendering.songs import song_of_library

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.long,  # a server of Streamlit and a whole browser; test_app.py asks the app itself
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium here"),
    pytest.mark.allow_hosts(["127.0.0.1", "::1", "localhost"]),
    pytest.mark.usefixtures("socket_enabled"),
]
PATIENCE_MS = 60_000


def free_port():
    with socket.socket() as trial:
        trial.bind(("localhost", 0))
        return trial.getsockname()[1]


@pytest.fixture
def studio(small_library, tmp_path):
    """Yield the address of a studio; it is ended as a person ends it."""
    port = free_port()
    command = [sys.executable, "-m", "mashnet.studio", f"library={small_library.root}"]
    command += ["scorer=keytempo", f"port={port}"]
    environment = {**os.environ, "HOME": str(tmp_path)}  # nobody's own settings of Streamlit
    with (tmp_path / "log").open("w+") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        try:
            for _ in range(600):
                with socket.socket() as trial:
                    if trial.connect_ex(("localhost", port)) == 0:
                        break
                assert server.poll() is None, (tmp_path / "log").read_text()
                time.sleep(0.1)
            yield f"http://localhost:{port}"
        finally:
            server.send_signal(signal.SIGINT)
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


@pytest.fixture
def page():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1360, "height": 1600})
        page.set_default_timeout(PATIENCE_MS)
        expect.set_options(timeout=PATIENCE_MS)
        yield page
        browser.close()


def choose_row(page, number):
    """Click the box of a row (from 1) in the table, which the browser draws on a canvas."""
    place = page.get_by_test_id("stDataFrame").bounding_box()
    page.mouse.click(place["x"] + 16, place["y"] + 35 * number + 17)


def headline(page):
    return page.get_by_role("heading", name="sings over")


def playable(page, index):
    """Play a player for a moment; return duration and how far it came."""
    return page.evaluate(
        """async index => {
            const audio = document.querySelectorAll("audio")[index];
            audio.muted = true;
            audio.load();
            await new Promise((ready, failed) => {
                audio.addEventListener("canplaythrough", ready, {once: true});
                audio.addEventListener("error", () => failed(audio.error.message), {once: true});
            });
            await audio.play();
            await new Promise(done => setTimeout(done, 400));
            audio.pause();
            return [audio.duration, audio.currentTime, audio.readyState];
        }""",
        index,
    )


def taken_home(page, label, folder):
    with page.expect_download() as waiting:
        page.get_by_role("button", name=label).click()
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


def songs_looked_at(page):
    found = re.fullmatch(r"(Song \d) sings over (Song \d)", headline(page).inner_text())
    return found.groups()


def test_a_pair_is_found_heard_explained_and_taken_home(
    studio, page, small_library, tmp_path, monkeypatch
):
    elsewhere = []
    page.on("request", lambda r: None if r.url.startswith(studio) else elsewhere.append(r.url))
    page.goto(studio)

    # The best pair is looked at first; the one in the third row is chosen.
    expect(headline(page)).to_be_visible()
    best = headline(page).inner_text()
    choose_row(page, 3)
    expect(headline(page)).not_to_have_text(best)
    guest, base = songs_looked_at(page)

    # Three players with sound that the browser decodes and plays.
    assert page.locator("audio").count() == 0
    page.get_by_role("combobox", name="Technique").click()
    page.get_by_role("option", name="tempo+key").click()
    page.get_by_role("button", name="Render").click()
    expect(page.locator("audio")).to_have_count(3)
    expect(page.get_by_text("dBTP")).to_be_visible()
    for index in range(3):
        duration_s, heard_s, ready = playable(page, index)
        assert duration_s == pytest.approx(12.0, abs=0.1)
        assert heard_s > 0.1
        assert ready >= 3

    # The file holds what the renderer makes of these two songs.
    wav = taken_home(page, "WAV", tmp_path)
    audio, rate = read_audio(wav)
    songs = [song_of_library(small_library, title)[0] for title in (base, guest)]
    expected = render_mashup(songs[0], {"vocals": songs[1]}, technique="tempo+key")
    assert rate == expected.sample_rate
    np.testing.assert_allclose(audio, expected.audio, atol=2**-23)

    # The recipe says so, and its command writes the same file again.
    recipe = json.loads(taken_home(page, "Recipe", tmp_path).read_text("utf-8"))
    assert (recipe["base"]["title"], recipe["guests"][0]["title"]) == (base, guest)
    assert (recipe["technique"], recipe["scorer"]) == ("tempo+key", "keytempo")
    again = tmp_path / "again"
    again.mkdir()
    monkeypatch.chdir(again)
    render_command(shlex.split(recipe["command"])[3:])
    assert (again / wav.name).read_bytes() == wav.read_bytes()

    # Why: three curves and two sets of bars are drawn.
    page.get_by_role("button", name="Explain").click()
    expect(page.get_by_test_id("stVegaLiteChart").locator("canvas, svg")).to_have_count(5)
    expect(page.get_by_text("With the drums")).to_be_visible()
    verdicts = page.get_by_text(
        re.compile(r"^(Best where|Would score|As good|Hardly matters).*\.$")
    )
    expect(verdicts).to_have_count(3)

    # What is wrong is one line; what was chosen before can be chosen again.
    library = page.get_by_role("combobox", name="Library")
    library.click()
    page.keyboard.press("Control+A")
    page.keyboard.type(str(tmp_path / "nowhere"))
    page.keyboard.press("Enter")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("is not a MashupDB")
    expect(alert).not_to_contain_text("Traceback")
    expect(page.get_by_test_id("stException")).to_have_count(0)
    library.click()
    page.get_by_role("option", name=str(small_library.root)).click()
    expect(headline(page)).to_be_visible()

    assert elsewhere == []
