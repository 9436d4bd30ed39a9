"""Where stretching is done."""

import os
import signal

import numpy as np
import pytest

from mashnet.audio.stretch import stretch
from mashnet.errors import AudioError
from mashnet.rendering import workers
from mashnet.rendering.workers import stretching


@pytest.fixture(autouse=True)
def nobody_works() -> None:
    """Other tests may have started processes, which stay."""
    workers._processes.cache_clear()


def test_one_worker_is_this_process() -> None:
    for count, sound_s in ((1, 1e9), (None, 1.0)):
        with stretching(count, sound_s) as (executor, at_once):
            assert at_once == 1 and executor.submit(os.getpid).result() == os.getpid()


def test_several_workers_are_processes_that_stay() -> None:
    seen = []
    for _ in range(2):
        with stretching(2, 0.0) as (executor, at_once):
            assert at_once == 2
            seen.append({executor.submit(os.getpid).result() for _ in range(8)})
    assert os.getpid() not in seen[0] | seen[1] and seen[0] & seen[1]
    sound = np.random.default_rng(0).uniform(-0.3, 0.3, (1, 22050)).astype(np.float32)
    settings = {"tempo_ratio": 1.1, "semitones": 2.0, "engine": "pylibrb_r2"}
    with stretching(2, 0.0) as (executor, _):
        there = executor.submit(stretch, sound, 22050, **settings).result()
    assert np.array_equal(there, stretch(sound, 22050, **settings))


def test_a_killed_worker_is_one_line_and_the_next_mashup_has_new_ones() -> None:
    with (
        pytest.raises(AudioError, match="was killed"),
        stretching(2, 0.0) as (executor, _),
    ):
        pid = executor.submit(os.getpid).result()
        os.kill(pid, signal.SIGKILL)
        executor.submit(os.getpid).result()
    with stretching(2, 0.0) as (executor, _):
        assert executor.submit(os.getpid).result() != pid
