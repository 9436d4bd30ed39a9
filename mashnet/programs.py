"""The programs: what each is called, which module it is, which extra it needs, what it does.

Named by strings, so that listing them imports none, and so that mashnet works where
data_pipelines' own needs are not installed.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Program:
    """One program.

    Attributes:
        module: what `python -m` runs.
        extra: of pyproject.toml, with all it needs; "" for the core.
        purpose: one line.
    """

    module: str
    extra: str
    purpose: str


PROGRAMS = {
    "score": Program("mashnet.score", "", "how well sound files fit together: one number"),
    "retrieve": Program("mashnet.retrieve", "retrieve", "the stems of a library that a mix lacks"),
    "mashup": Program("mashnet.mashup", "render", "the best mashups of a library, rendered"),
    "render": Program("mashnet.render", "render", "one mashup of songs that you name"),
    "studio": Program("mashnet.studio", "studio", "mashups by hand, on a page"),
    "listening": Program("mashnet.listening", "listening", "a blind listening test, analysed"),
    "demo": Program("data_pipelines.demo", "pipelines", "make the demo corpus"),
    "mashupdb": Program("data_pipelines.mashupdb", "pipelines", "your music into a MashupDB"),
    "mixes": Program("data_pipelines.mixes", "pipelines", "mixes that fit, and that do not"),
    "loops": Program("data_pipelines.loops", "pipelines", "loops, and which sound together"),
    "negatives": Program("data_pipelines.negatives", "pipelines", "pairs of loops that do not fit"),
    "structure": Program("data_pipelines.structure", "pipelines", "verse, chorus and the rest"),
    "embeddings": Program("data_pipelines.embeddings", "pipelines", "encode a library ahead"),
    "beats": Program("data_pipelines.beats", "pipelines", "read a library in beat time ahead"),
    "train": Program("mashnet.commands.train", "train", "train a network, or go on with a run"),
    "evaluate": Program("mashnet.commands.evaluate", "evaluate", "one protocol over Scorers"),
    "cross_validation": Program(
        "mashnet.evaluation.cross_validation", "evaluate", "the folds' results as one table"
    ),
    "export": Program("mashnet.export", "config", "a bundle of a run, for other programs"),
    "doctor": Program("mashnet.doctor", "", "what is installed, what is missing, how to get it"),
}


def running() -> Program | None:
    """Return the program that this process is, if it is one of ours."""
    called = getattr(sys.modules.get("__main__"), "__spec__", None)
    module = called.name.removesuffix(".__main__") if called else ""
    script = Path(sys.argv[0]).name  # of the two that also lie beside the source
    for name, program in PROGRAMS.items():
        if program.module == module or script == f"{name}.py":
            return program
    return None
