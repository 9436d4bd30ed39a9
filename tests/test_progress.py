"""Long work speaks: a bar on a terminal, a line now and then in a log, nothing if it is short."""

import io
import sys

import pytest

from mashnet import progress
from mashnet.progress import Progress


class Clock:
    def __init__(self, monkeypatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(progress.time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch) -> Clock:
    return Clock(monkeypatch)


def work(clock, items: int, each_s: float, **settings) -> list[int]:
    done = []
    for item in Progress(range(items), desc="stems", unit="stem", **settings):
        clock.now += each_s
        done.append(item)
    return done


def test_short_work_leaves_no_line_in_a_log(clock, capsys):
    assert work(clock, 9, 1.0) == list(range(9))
    assert capsys.readouterr().err == ""


def test_long_work_says_what_is_done_and_left_and_how_long_it_took(clock, capsys):
    work(clock, 222, 3.0)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "stems: 4 of 222, 12 s so far, about 10 min 54 s left"
    assert lines[1] == "stems: 24 of 222, 1 min 12 s so far, about 9 min 54 s left"
    assert lines[-1] == "stems: 222 of 222 in 11 min 6 s"
    assert 11 <= len(lines) <= 13  # one a minute


def test_a_count_without_an_end_is_told_without_what_is_left(clock, capsys):
    with Progress(desc="pairs", unit="pair") as shown:
        clock.now = 70.0
        shown.update(5)
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["pairs: 5, 1 min 10 s so far", "pairs: 5 in 1 min 10 s"]


def test_what_breaks_off_says_how_far_it_came(clock, capsys):
    with pytest.raises(KeyError), Progress(desc="pairs", total=10) as shown:
        clock.now = 20.0
        shown.update(3)
        raise KeyError
    assert capsys.readouterr().err.splitlines()[-1] == "pairs: 3 of 10 in 20 s"


def test_hidden_work_says_nothing(clock, capsys):
    work(clock, 100, 5.0, hidden=True)
    assert capsys.readouterr().err == ""


def test_a_terminal_has_a_bar(clock, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    work(clock, 5, 30.0)
    assert "100%" in terminal.getvalue() and " so far" not in terminal.getvalue()
