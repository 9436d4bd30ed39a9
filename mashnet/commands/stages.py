"""Pipeline stages by their names, for programs of mashnet that begin with music.

The pipelines stand above all of mashnet and may not be installed: nothing here imports them before
one is asked for.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from mashnet.config_folder import CONFIGS
from mashnet.errors import require_one_of
from mashnet.programs import PROGRAMS

SOURCES = ("stems", "songs")


def run_stage(name: str, *overrides: str, work: str = "make") -> None:
    """Run a stage with settings as they would be typed.

    Args:
        name: of `mashnet.programs.PROGRAMS`.
        overrides: key=value.
        work: the function of its stage.py.

    Raises:
        MashnetError: as the stage does.
        ModuleNotFoundError: if the pipelines are not installed.
    """
    stage: Any = importlib.import_module(f"{PROGRAMS[name].module}.stage")
    getattr(stage, work)(_composed(name, *overrides))


def library_of_songs(songs: Path, library: Path, source: str | None = None) -> None:
    """Make a library of a folder of music, or take in what is new there.

    Separation, analysis and sections are kept as each song is done: the same call goes on where it
    was stopped.

    Args:
        songs: a folder with a file per stem for each song, or with recordings.
        library: the MashupDB to write.
        source: stems or songs; None: stems if most of what lies there is named like stems.

    Raises:
        ConfigError: if there is no such source.
        MashnetError: if there is no music, or no way to separate it.
    """
    if source is None:
        source = "stems" if _holds_stems(songs) else "songs"
        what = "stems by their names" if source == "stems" else "recordings, separated first"
        print(f"{songs}: taken as {what} (source=stems|songs says otherwise)", flush=True)
    require_one_of("source", source, SOURCES)
    run_stage(
        "mashupdb", f"source={source}", f"source.root={songs}", f"out={library}", work="build"
    )
    run_stage("structure", f"db={library}")


def _holds_stems(songs: Path) -> bool:
    """Return whether most songs that a folder would be as stems have two that a name tells."""
    lookup: Any = importlib.import_module("data_pipelines.sources.lookup")
    config = _composed("mashupdb", "source=stems", f"source.root={songs}", "out=unused")
    found = [song for song in lookup.load_source("stems")(config) if hasattr(song, "stems")]
    named = [len({stem.kind for stem in song.stems if stem.kind}) > 1 for song in found]
    return 2 * sum(named) > len(named)


def _composed(name: str, *overrides: str) -> Any:
    # Imported here: with it Hydra is, which programs that take no songs do without.
    from mashnet.commands.hydra_program import compose

    return compose(name, list(overrides), CONFIGS / "pipeline")
