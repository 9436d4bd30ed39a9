"""The listening test: python -m mashnet.listening build|serve|collect key=value …."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from mashnet.errors import ConfigError, MashnetError, require_one_of

PROGRAM = "python -m mashnet.listening"
USAGE = {
    "build": "systems=[FOLDER,…] out=listening/ [excerpt_s=30] [listen_s=10] [per_system=N] "
    "[seed=0] [title=…]",
    "serve": "folder=listening/ [port=8000] [host=127.0.0.1]",
    "collect": "ratings=[FILE.csv,…] out=listening/ratings.csv",
}


def main(arguments: list[str]) -> None:
    """Run one of the commands."""
    if not arguments:
        lines = [f"  {PROGRAM} {name} {keys}" for name, keys in USAGE.items()]
        raise ConfigError("what is to be done? One of:\n" + "\n".join(lines))
    name = require_one_of("command", arguments[0], USAGE)
    _COMMANDS[name](_settings(name, arguments[1:]))


def _build(settings: Mapping[str, str]) -> None:
    from mashnet.listening.build import Settings, build, counts_of

    folder = Path(settings["out"])
    key = build(
        Settings(
            systems=tuple(Path(name) for name in _list(settings["systems"])),
            excerpt_s=_number("excerpt_s", settings.get("excerpt_s", "30"), least=5),
            listen_s=_number("listen_s", settings.get("listen_s", "10"), least=0),
            per_system=_whole("per_system", settings["per_system"], least=1)
            if "per_system" in settings
            else None,
            seed=_whole("seed", settings.get("seed", "0"), least=0),
            title=settings.get("title", "Listening test"),
        ),
        folder,
    )
    print(counts_of(key))
    print(f"{folder}: built; next: {PROGRAM} serve folder={folder}")


def _serve(settings: Mapping[str, str]) -> None:
    try:
        from mashnet.listening.server import serve
    except ImportError as error:
        raise _missing(error) from error
    serve(
        Path(settings["folder"]),
        host=settings.get("host", "127.0.0.1"),
        port=_whole("port", settings.get("port", "8000"), least=0),
    )


def _collect(settings: Mapping[str, str]) -> None:
    from mashnet.listening.collect import collect

    collect([Path(name) for name in _list(settings["ratings"])], Path(settings["out"]))


_COMMANDS: dict[str, Callable[[Mapping[str, str]], None]] = {
    "build": _build,
    "serve": _serve,
    "collect": _collect,
}


def _settings(name: str, arguments: list[str]) -> dict[str, str]:
    """Return key → value of a command's arguments."""
    usage = f"usage: {PROGRAM} {name} {USAGE[name]}"
    words = USAGE[name].split()
    needed = [word.partition("=")[0] for word in words if not word.startswith("[")]
    allowed = [word.strip("[").partition("=")[0] for word in words]
    settings: dict[str, str] = {}
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if not (equals and key and value):
            raise ConfigError(f"'{argument}' is not key=value; {usage}")
        settings[require_one_of("setting", key, allowed)] = value
    missing = [f"{key}=…" for key in needed if key not in settings]
    if missing:
        raise ConfigError(f"{', '.join(missing)} must be given; {usage}")
    return settings


def _list(text: str) -> list[str]:
    """Return the parts of "[a, b]" or "a,b"."""
    return [
        part.strip()
        for part in text.strip().removeprefix("[").removesuffix("]").split(",")
        if part.strip()
    ]


def _number(name: str, text: str, *, least: float) -> float:
    try:
        value = float(text)
        if not least <= value < float("inf"):
            raise ValueError
    except ValueError:
        raise ConfigError(f"{name}={text} must be a number, {least:g} or more") from None
    return value


def _whole(name: str, text: str, *, least: int) -> int:
    value = _number(name, text, least=least)
    if value != int(value):
        raise ConfigError(f"{name}={text} must be a whole number")
    return int(value)


def _missing(error: ImportError) -> Exception:
    if (error.name or "").startswith("mashnet"):
        return error
    return ConfigError(f"{error.name} is not installed; get it: uv sync --extra listening")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except MashnetError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
