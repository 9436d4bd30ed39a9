"""A small test with clips that are quick to make, and ratings that are quick to write down."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mashnet.audio.io import write_sound
from mashnet.listening.build import Settings, build
from mashnet.listening.questions import QUESTION_NAMES
from mashnet.listening.ratings import Rating, rating_of
from tests.listening.listener import CHROMIUM
from tests.listening.serving import Server

RATE = 44100


def tone(hz: float, *, seconds: float = 6.0, level: float = 0.2, channels: int = 1) -> np.ndarray:
    """Return a decaying note twice a second, shape (channels, samples)."""
    time_s = np.arange(round(seconds * RATE)) / RATE
    wave = level * np.sin(2 * np.pi * hz * time_s) * np.exp(-3 * (time_s % 0.5))
    return np.repeat(wave[None], channels, axis=0).astype(np.float32)


def write_tone(path: Path, hz: float, **how: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_sound(path, tone(hz, **how), RATE)
    return path


def two_systems_in(root: Path) -> list[Path]:
    """Return two folders with one sound each."""
    pitches = {"loud-rules": 220, "quiet-nets": 330}
    return [write_tone(root / name / "my-mash.wav", hz).parent for name, hz in pitches.items()]


def build_small_test(root: Path, systems: list[Path]) -> Path:
    """Return the folder of a test of clips of 6 s, of which 0.6 s must be heard."""
    build(Settings(tuple(systems), listen_s=0.6, title="A <small> test"), root / "listening")
    return root / "listening"


@pytest.fixture
def two_systems(tmp_path: Path) -> list[Path]:
    return two_systems_in(tmp_path)


@pytest.fixture
def built(tmp_path: Path, two_systems: list[Path]) -> Path:
    return build_small_test(tmp_path, two_systems)


@pytest.fixture
def make_rating() -> Callable[..., Rating]:
    """Return a function that makes a valid rating, but for what it is told."""
    made = iter(range(10**6))

    def rating(**changes: Any) -> Rating:
        values: dict[str, Any] = {
            "received_at": "2026-01-01T10:00:00+00:00",
            "rated_at": "2026-01-01T10:00:00+00:00",
            "test": "t",
            "participant": "anna",
            "position": 1,
            "item": "i1",
            **dict.fromkeys(QUESTION_NAMES, 3),
            "heard": "no",
            "listened_s": 12.5,
            "comment": "",
            "token": f"{next(made):032x}",
        }
        return rating_of({**values, **changes})

    return rating


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
