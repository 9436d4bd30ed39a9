"""python -m mashnet.score BUNDLE_OR_RUN vocal=a.wav harmonic=b.wav percussion=c.wav.

A network that judges loops takes loop_a=a.wav loop_b=b.wav; one that looks for stems takes
context=a.wav target=b.wav and, if it is told what to look for, instrument="fretless bass".
"""

from __future__ import annotations

from mashnet.commands.small_program import read_arguments, run_program
from mashnet.errors import ConfigError

USAGE = "python -m mashnet.score BUNDLE_OR_RUN vocal=a.wav harmonic=b.wav percussion=c.wav"


def main(arguments: list[str]) -> None:
    """Print the score of one mix."""
    if not arguments or arguments[0] in ("-h", "--help") or "=" in arguments[0]:
        raise ConfigError(f"usage: {USAGE}")
    stems = read_arguments(arguments[1:], usage=USAGE)
    # Imported here: what is mistyped is refused without torch.
    from mashnet.data.parts import named_instrument
    from mashnet.scoring import load

    if "instrument" in stems:
        named_instrument(stems["instrument"])
    print(f"{load(arguments[0]).score(**stems):.4f}")


if __name__ == "__main__":
    run_program(main)
