"""The stages that are killed, each as a function; imported by the process that forks their runs.

Three things are made cheap here, as none touches a file: the tracker of beats is one that answers
120 bpm at once, the network that encodes stems is small, and worker processes are forked where they
would begin as new interpreters.
"""

from __future__ import annotations

import importlib
import multiprocessing
import tempfile
from functools import cache, partial
from typing import Any

from data_pipelines.beats import stage as beats
from data_pipelines.demo import stage as demo
from data_pipelines.embeddings import stage as embeddings
from data_pipelines.loops import stage as loops
from data_pipelines.mashupdb import analyse
from data_pipelines.mashupdb import stage as mashupdb
from data_pipelines.mixes import stage as mixes
from data_pipelines.negatives import stage as negatives
from data_pipelines.separation import with_demucs
from data_pipelines.structure import stage as structure
from data_pipelines.synth import song
from mashnet.audio.numba_imports import compiling_alone
from mashnet.commands.hydra_program import CONFIGS, compose
from mashnet.commands.last_line import ending_in_one_line
from mashnet.data import embedding_store
from mashnet.library import encoding as stem_encoding
from mashnet.library.stems import StemLibrary
from tests.kill.bands import bands
from tests.metronome import steady_beats

SONGS_OF_DEMO = 2

tempfile.gettempdir()  # Python tries the folder with a file of its own, which a kill would leave

with compiling_alone():  # what stages import when they need it is imported once
    for _part in ("core.notation", "decompose", "feature.spectral", "sequence", "util.utils"):
        importlib.import_module(f"librosa.{_part}")

_STAGES: dict[str, Any] = {
    "mashupdb": mashupdb.build,
    "demo": demo.make,
    "mixes": mixes.make,
    "loops": loops.make,
    "negatives": negatives.make,
    "structure": structure.make,
    "embeddings": embeddings.make,
    "beats": beats.make,
}


def stage(name: str, settings: list[str]) -> None:
    """Run a stage as its program does: an error is one line and status 2."""
    with ending_in_one_line("go on"):
        _STAGES[name](_config(name, tuple(settings)))


_config = cache(lambda name, settings: compose(name, list(settings), CONFIGS / "pipeline"))


def ready(name: str, settings: list[str]) -> None:
    """Make what all runs of a stage share, before one of them is forked."""
    _config(name, tuple(settings))
    if name == "demo":
        # The band composes once: what is killed is how its songs are written down.
        for index in range(SONGS_OF_DEMO):
            demo.synthesise_song(0, index, whole=False)


_fork = multiprocessing.get_context("fork")
multiprocessing.get_context = lambda _=None: _fork
analyse.annotate = steady_beats
demo.synthesise_song = cache(song.synthesise_song)
embeddings.stem_scorer = stem_encoding._scorer = bands
embeddings.StemLibrary = partial(StemLibrary, exact_up_to=5)  # an index of few stems
embedding_store._MOST_ROWS = 4  # of a block: the index has more than one
with_demucs._BLOCK_S, with_demucs._OVERLAP_S = (
    2,
    1,
)  # more than one block of a song of three seconds
