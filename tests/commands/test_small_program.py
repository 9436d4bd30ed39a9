"""key=value arguments: what is read, and what is refused in one line."""

import subprocess
import sys

import pytest

from mashnet.commands.small_program import listed, number, read_arguments, whole_number
from mashnet.errors import ConfigError

USAGE = "python -m it a=1 [b=2]"


def test_what_is_typed_is_read() -> None:
    assert read_arguments(["a=1", "b=x=y", "a=2"], usage=USAGE) == {"a": "2", "b": "x=y"}
    assert read_arguments([], usage=USAGE, allowed=("a",)) == {}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a"], "'a' is not key=value; usage: python -m it"),
        (["a="], "'a=' is not key=value"),
        (["=1"], "'=1' is not key=value"),
        (["a=1", "bb=2"], "bb.*Did you mean.*b"),
        (["b=2"], "a=… must be given; usage"),
    ],
)
def test_what_is_not_understood_is_one_line(arguments: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        read_arguments(arguments, usage=USAGE, allowed=("a", "b"), needed=("a",))
    assert "\n" not in str(caught.value)


def test_numbers() -> None:
    assert number("a", "2.5", least=2) == 2.5 and number("a", "-1e3", least=-1e4) == -1000
    assert whole_number("a", "0", least=0) == 0 and whole_number("a", "9", least=1, most=9) == 9
    for text in ("1.9", "nan", "inf", "x", ""):
        with pytest.raises(ConfigError, match=r"a=.*expected a number, 2 or more"):
            number("a", text, least=2)
    for text in ("0", "-1", "1.0", "x", "²", "٣", ""):
        with pytest.raises(ConfigError, match=r"a=.*expected a whole number, 1 or more"):
            whole_number("a", text, least=1)
    with pytest.raises(ConfigError, match="from 1 to 9"):
        whole_number("a", "10", least=1, most=9)


def test_lists() -> None:
    assert listed("[a, b]") == listed("a,b") == listed(" a ,b,") == ["a", "b"]
    assert listed("[]") == []


@pytest.mark.parametrize(
    ("raised", "status", "said"),
    [
        ("mashnet.errors.ConfigError('no')", 2, "error: no\n"),
        ("KeyboardInterrupt", 130, "\ninterrupted; the same command goes on from here\n"),
    ],
)
def test_how_a_program_ends(raised: str, status: int, said: str) -> None:
    program = (
        "import mashnet.errors\nfrom mashnet.commands.small_program import run_program\n"
        f"def main(arguments): raise {raised}\nrun_program(main)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (status, said)
