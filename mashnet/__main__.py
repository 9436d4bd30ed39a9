"""The command `mashnet`: mashnet train model=premixnet_lsro, mashnet score …; alone it lists all.

`mashnet <program> …` is `python -m <its module> …`.
"""

from __future__ import annotations

import os
import runpy
import sys

from mashnet import __version__
from mashnet.commands.last_line import ending_in_one_line
from mashnet.errors import require_one_of
from mashnet.invocation import CALLED_BY
from mashnet.programs import PROGRAMS


def main() -> None:
    """Run the program that is named first; list them if none is."""
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(listing())
        return
    if arguments[0] == "--version":
        print(f"mashnet {__version__}")
        return
    with ending_in_one_line("the same command goes on from here"):
        name = require_one_of("command", arguments[0], PROGRAMS)
        sys.argv = [f"mashnet {name}", *arguments[1:]]
        os.environ[CALLED_BY] = "mashnet"
        runpy.run_module(PROGRAMS[name].module, run_name="__main__", alter_sys=True)


def listing() -> str:
    """Return the programs, a line each."""
    width = max(map(len, PROGRAMS))
    lines = [f"  {name:<{width}}  {program.purpose}" for name, program in PROGRAMS.items()]
    return "\n".join(["usage: mashnet COMMAND key=value …", "", *lines])


if __name__ == "__main__":
    main()
