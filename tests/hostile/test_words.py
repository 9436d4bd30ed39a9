"""Titles and comments of strangers are words: no formulas, no commands."""

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from mashnet.commands.last_line import ending_in_one_line
from mashnet.errors import MashnetError, printable
from mashnet.figure_files import save_figure
from mashnet.listening.ratings import MAX_COMMENT, _comment

TITLES = ["money $_$", "$^", "a $\\frac$ b", "$$$", "\\$ $x$ \\", "100 % {of} $\\undefined$"]


@pytest.mark.parametrize("title", TITLES)
def test_a_title_is_drawn_as_it_is_written(title: str) -> None:
    figure = Figure(layout="constrained")
    axis = figure.subplots()
    axis.plot([1, 1e6], [1, 1e6], label=title)
    axis.set(title=title, xlabel=title, ylabel=title)
    axis.set_xscale("log")  # whose numbers matplotlib writes as formulas itself
    axis.set_yticks([1, 1e6], [title, "other"])
    axis.text(1, 1, title)
    axis.legend()
    figure.suptitle(title)
    drawn = io.BytesIO()
    save_figure(figure, drawn, dpi=50, format="png")
    assert drawn.getvalue().startswith(b"\x89PNG")
    assert any(label.get_parse_math() for label in axis.get_xticklabels())


@given(st.text())
def test_what_is_printed_holds_nothing_that_a_terminal_obeys(text: str) -> None:
    shown = printable(text)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", shown)
    assert len(shown) == len(text)


def test_an_error_names_a_file_without_obeying_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit), ending_in_one_line(""):
        raise MashnetError("\x1b[2J\x1b]0;owned\x07 cannot be read")
    assert capsys.readouterr().err == "error: \ufffd[2J\ufffd]0;owned\ufffd cannot be read\n"


@given(st.text(alphabet="ab;=+-@'\" ,", max_size=60))
def test_no_cell_of_a_comment_begins_a_formula(text: str) -> None:
    comment = _comment({"comment": text})
    for cell in [comment, *comment.split(";")[1:]]:
        assert not cell.lstrip(' "').startswith(("=", "+", "-", "@")) or cell is comment
    assert not comment.startswith(("=", "+", "-", "@"))
    assert _comment({"comment": comment}) == comment
    assert comment.replace("'", "") == text.strip().replace("'", "")


def test_the_longest_comment_stays_readable_with_what_was_put_into_it() -> None:
    longest = ";=" * (MAX_COMMENT // 2)
    guarded = _comment({"comment": longest})
    assert len(guarded) > MAX_COMMENT and _comment({"comment": guarded}) == guarded
