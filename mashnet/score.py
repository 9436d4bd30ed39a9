"""python -m mashnet.score BUNDLE_OR_RUN vocal=a.wav harmonic=b.wav percussion=c.wav.

A network that judges loops takes loop_a=a.wav loop_b=b.wav; one that looks for stems takes
context=a.wav target=b.wav and, if it is told what to look for, instrument="fretless bass".
"""

from __future__ import annotations

import sys

from mashnet.data.parts import named_instrument
from mashnet.errors import ConfigError, MashnetError
from mashnet.scoring import load

USAGE = "python -m mashnet.score BUNDLE_OR_RUN vocal=a.wav harmonic=b.wav percussion=c.wav"


def main(arguments: list[str]) -> None:
    """Print the score of one mix."""
    if not arguments or arguments[0] in ("-h", "--help") or "=" in arguments[0]:
        raise ConfigError(f"usage: {USAGE}")
    stems = {}
    for argument in arguments[1:]:
        role, equals, path = argument.partition("=")
        if not equals:
            raise ConfigError(f"'{argument}' is not role=file; usage: {USAGE}")
        stems[role] = named_instrument(path) if role == "instrument" else path
    print(f"{load(arguments[0]).score(**stems):.4f}")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except MashnetError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
