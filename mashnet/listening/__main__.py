"""The listening test: python -m mashnet.listening build|serve|collect|analyse key=value …."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from mashnet.commands.small_program import listed, number, read_arguments, run_program, whole_number
from mashnet.errors import ConfigError, require_one_of
from mashnet.extras import advice
from mashnet.invocation import setting
from mashnet.listening.folder import KEY

PROGRAM = "python -m mashnet.listening"
USAGE = {
    "build": "systems=[FOLDER,…] out=listening/ [excerpt_s=30] [listen_s=10] [per_system=N] "
    "[seed=0] [title=…]",
    "serve": "folder=listening/ [port=8000] [host=127.0.0.1] [names=[NAME,…]]",
    "collect": "ratings=[FILE.csv,…] out=listening/ratings.csv",
    "analyse": "ratings=listening/ratings.csv [key=listening/key.json] [scores=scores.csv] "
    "[out=listening/analysis]",
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
            systems=tuple(Path(name) for name in listed(settings["systems"])),
            excerpt_s=number("excerpt_s", settings.get("excerpt_s", "30"), least=5),
            listen_s=number("listen_s", settings.get("listen_s", "10"), least=0),
            per_system=whole_number("per_system", settings["per_system"], least=1)
            if "per_system" in settings
            else None,
            seed=whole_number("seed", settings.get("seed", "0"), least=0),
            title=settings.get("title", "Listening test"),
        ),
        folder,
    )
    print(counts_of(key))
    print(f"{folder}: built; next: {PROGRAM} serve {setting('folder', folder)}")


def _serve(settings: Mapping[str, str]) -> None:
    try:
        from mashnet.listening.server import serve
    except ImportError as error:
        raise _missing(error) from error
    serve(
        Path(settings["folder"]),
        host=settings.get("host", "127.0.0.1"),
        port=whole_number("port", settings.get("port", "8000"), least=0, most=65535),
        names=listed(settings["names"]) if "names" in settings else (),
    )


def _collect(settings: Mapping[str, str]) -> None:
    from mashnet.listening.collect import collect

    collect([Path(name) for name in listed(settings["ratings"])], Path(settings["out"]))


def _analyse(settings: Mapping[str, str]) -> None:
    try:
        from mashnet.listening.analyse import analyse
    except ImportError as error:
        raise _missing(error) from error
    ratings = Path(settings["ratings"])
    analyse(
        ratings,
        key=Path(settings.get("key", ratings.parent / KEY)),
        scores=Path(settings["scores"]) if "scores" in settings else None,
        out=Path(settings.get("out", ratings.parent / "analysis")),
        command=" ".join([PROGRAM, "analyse", *(f"{k}={v}" for k, v in settings.items())]),
    )


_COMMANDS: dict[str, Callable[[Mapping[str, str]], None]] = {
    "build": _build,
    "serve": _serve,
    "collect": _collect,
    "analyse": _analyse,
}


def _settings(name: str, arguments: list[str]) -> dict[str, str]:
    """Return key → value of a command's arguments."""
    words = USAGE[name].split()
    return read_arguments(
        arguments,
        usage=f"{PROGRAM} {name} {USAGE[name]}",
        allowed=[word.strip("[").partition("=")[0] for word in words],
        needed=[word.partition("=")[0] for word in words if not word.startswith("[")],
    )


def _missing(error: ImportError) -> Exception:
    if (error.name or "").startswith("mashnet"):
        return error
    return ConfigError(f"{error.name} is not installed; get it: {advice('listening')}")


if __name__ == "__main__":
    run_program(main)
