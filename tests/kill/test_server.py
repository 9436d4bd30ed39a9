"""The server of a listening test is killed while ratings come in, and started again."""

from __future__ import annotations

import random
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mashnet.audio.io import write_sound
from mashnet.listening.build import Settings, build
from mashnet.listening.folder import PAGE, TEST
from mashnet.listening.ratings_file import RATINGS, read_ratings
from tests.kill.harness import ROOT, Moment, leftovers, nursery


def built(folder: Path) -> Path:
    """Return the folder of a test of one clip per system."""
    wave = 0.1 * np.random.default_rng(0).standard_normal((1, 6 * 22050)).astype(np.float32)
    systems = []
    for number, name in enumerate(("one", "two")):
        systems.append(folder / name)
        systems[-1].mkdir(parents=True)
        write_sound(systems[-1] / "mash.wav", wave / (number + 1), 22050)
    build(Settings(tuple(systems), listen_s=0.6), folder / "test")
    return folder / "test"


@pytest.mark.enable_socket
def test_what_a_server_said_was_stored_is_there_once(tmp_path: Path, kills: int) -> None:
    draw = random.Random(20)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    told = tmp_path / "told"
    program = [sys.executable, "-m", "tests.kill.client", str(port)]
    with nursery("tests.kill.listening", tmp_path / "work") as servers:
        folder = built(servers.folder / "made")
        command = [*program, str(folder / PAGE / TEST), str(told)]
        with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE) as listeners:
            stored = []
            for _ in range(kills):
                # It makes no file but one, when it starts: the clock runs from then.
                moment = Moment(after_s=draw.uniform(0.1, 1.0))
                served = servers.run("serving", moment, folder=str(folder), port=port)
                assert served.killed, served.said
                stored.append(len(told.read_text().split()) if told.exists() else 0)
            listeners.communicate()
        assert listeners.returncode == 0
        assert leftovers(servers, folder) == []
    acknowledged = told.read_text().split()
    # Most servers took ratings before they were killed.
    assert len(set(stored)) > kills / 2
    ratings, _ = read_ratings(folder / RATINGS)
    tokens = [rating.token for rating in ratings]
    assert set(acknowledged) <= set(tokens)
    assert len(tokens) == len(set(tokens))
    # What was stored and never acknowledged is one rating of each listener at most.
    assert len(tokens) - len(acknowledged) <= 2
