"""python -m mashnet.retrieve BUNDLE_OR_RUN mix=demo_mix.wav instrument="fretless bass" library=DB.

Prints the stems of a MashupDB that fit a mix best; top=10 says how many, out=results.csv writes
them to a file as well.
"""

from __future__ import annotations

from pathlib import Path

from mashnet.commands.small_program import read_arguments, run_program, whole_number
from mashnet.errors import ConfigError

USAGE = (
    'python -m mashnet.retrieve BUNDLE_OR_RUN mix=FILE instrument="fretless bass" library=DB '
    "[top=10] [out=results.csv]"
)
SETTINGS = ("mix", "instrument", "library", "top", "out")


def main(arguments: list[str]) -> None:
    """Print the best stems."""
    if not arguments or arguments[0] in ("-h", "--help") or "=" in arguments[0]:
        raise ConfigError(f"usage: {USAGE}")
    given = read_arguments(arguments[1:], usage=USAGE, allowed=SETTINGS, needed=("mix", "library"))
    top = whole_number("top", given.get("top", "10"), least=1)
    # Imported here: what is mistyped is refused without torch.
    from mashnet.files import written_atomically
    from mashnet.library.search import format_table, retrieve

    found = retrieve(
        arguments[0],
        mix=given["mix"],
        library=given["library"],
        instrument=given.get("instrument"),
        top=top,
    )
    print(format_table(found))
    if "out" in given:
        try:
            with written_atomically(Path(given["out"])) as temporary:
                found.write_csv(temporary)
        except OSError as error:
            raise ConfigError(f"out={given['out']} cannot be written: {error.strerror}") from error
        print(f"written: {given['out']}")


if __name__ == "__main__":
    run_program(main)
