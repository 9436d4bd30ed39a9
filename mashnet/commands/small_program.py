"""key=value arguments of small programs, and how such a program ends.

Programs with many settings compose them with Hydra (`mashnet.commands.hydra_program`); those that
take a handful read them here.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Sequence

from mashnet.commands.last_line import ending_in_one_line
from mashnet.errors import ConfigError, require_one_of

GOES_ON = "the same command goes on from here"


def read_arguments(
    arguments: Sequence[str],
    *,
    usage: str,
    allowed: Collection[str] | None = None,
    needed: Collection[str] = (),
) -> dict[str, str]:
    """Return key → value; of a key given twice the last value.

    Args:
        arguments: as typed, without the program's name.
        usage: one line that ends messages.
        allowed: the keys there are; None: any.
        needed: keys that must be given.

    Raises:
        ConfigError: if an argument is not key=value, or a key unknown or missing.
    """
    settings: dict[str, str] = {}
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if not (equals and key and value):
            raise ConfigError(f"'{argument}' is not key=value; usage: {usage}")
        if allowed is not None:
            require_one_of("setting", key, allowed)
        settings[key] = value
    if missing := [f"{key}=…" for key in needed if key not in settings]:
        raise ConfigError(f"{', '.join(missing)} must be given; usage: {usage}")
    return settings


def number(name: str, text: str, *, least: float, most: float | None = None) -> float:
    """Return a finite number as typed.

    Raises:
        ConfigError: if it is none, or beyond the bounds.
    """
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not least <= value < float("inf") or (most is not None and value > most):
        bounds = f"{least:g} or more" if most is None else f"from {least:g} to {most:g}"
        raise ConfigError(f"{name}={text}: expected a number, {bounds}")
    return value


def whole_number(name: str, text: str, *, least: int, most: int | None = None) -> int:
    """Return a whole number as typed.

    Raises:
        ConfigError: if it is none, or beyond the bounds.
    """
    digits = text[1:] if least < 0 and text[:1] in ("+", "-") else text
    value = int(text) if digits.isdecimal() and digits.isascii() else least - 1
    if value < least or (most is not None and value > most):
        bounds = f"{least} or more" if most is None else f"from {least} to {most}"
        raise ConfigError(f"{name}={text}: expected a whole number, {bounds}")
    return value


def listed(text: str) -> list[str]:
    """Return the parts of "[a,b]" or "a, b"."""
    inside = text.strip().removeprefix("[").removesuffix("]")
    return [part.strip() for part in inside.split(",") if part.strip()]


def run_program(main: Callable[[list[str]], None], *, interrupted: str = GOES_ON) -> None:
    """Run a program on what was typed: errors are one line and status 2, Ctrl-C is status 130.

    Args:
        main: takes the arguments.
        interrupted: what to tell who stopped it.
    """
    with ending_in_one_line(interrupted):
        main(sys.argv[1:])
